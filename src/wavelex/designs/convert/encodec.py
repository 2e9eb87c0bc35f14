"""EnCodec's published weights: the names of facebookresearch/encodec and audiocraft, and those of transformers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.codebooks import averaged_codebooks
from wavelex.designs.convert.seanet import seanet_arguments, seanet_weights
from wavelex.designs.convert.tensors import Tensors
from wavelex.errors import WavelexError

SETTINGS = {
    "causal": "causal",
    "use_causal_conv": "causal",
    "pad_mode": "padding",
    "dilation_base": "dilation_base",
    "dilation_growth_rate": "dilation_base",
    "sample_rate": "sample_rate",
    "sampling_rate": "sample_rate",
}
"""What shapes cannot tell: what it is called in the configuration of either, and which argument it is."""


def _recognises(published: Tensors, config: Mapping[str, Any]) -> bool:
    own = "quantizer.vq.layers.0._codebook.embed" in published and "encoder.model.0.conv.conv.bias" in published
    return own or ("quantizer.layers.0.codebook.embed" in published and "encoder.layers.0.conv.bias" in published)


def _convert(published: Tensors, config: Mapping[str, Any]) -> Converted:
    own = "quantizer.vq.layers.0._codebook.embed" in published
    layers, quantizer, codebook = ("model", "quantizer.vq.layers", "_codebook") if own else ("layers", "quantizer.layers", "codebook")
    encoder = seanet_weights(published.under(f"encoder.{layers}"))
    decoder = seanet_weights(published.under(f"decoder.{layers}"), decoder=True)
    codebooks = averaged_codebooks(published.under(quantizer), codebook)
    # That of one class, or of each class under its name.
    flat = {key: value for group in config.values() if isinstance(group, Mapping) for key, value in group.items()} | dict(config)
    if (ratio := flat.get("trim_right_ratio", 1.0)) != 1.0:
        raise WavelexError(f"a trim_right_ratio of {ratio} is not known here, only 1")
    arguments = {
        **seanet_arguments(encoder),
        "codebooks": sum(key.endswith(".total") for key in codebooks),
        "size": len(codebooks["layers.0.total"]),
        **{argument: flat[name] for name, argument in SETTINGS.items() if name in flat},
    }
    parts = {"encoder": encoder, "quantizer": codebooks, "decoder": decoder}
    design, inner = "encodec_24k", ""
    stereo = arguments.pop("channels") == 2
    if flat.get("normalize", stereo) != stereo:
        raise WavelexError("levels of segments are known here of two channels, and of two channels alone")
    if stereo:
        design, inner = "encodec_48k", ".inner"
        arguments["frames"] = _segment(flat, arguments.get("sample_rate", 48_000), math.prod(arguments["strides"]))
    ours = {f"{part}{inner}.{key}": tensor for part, tensors in parts.items() for key, tensor in tensors.items()}
    return Converted(design, arguments, ours)


def _segment(config: Mapping[str, Any], sample_rate: Any, hop: int) -> int:
    """Frames of a segment. Raises WavelexError for what is no length of time."""
    seconds = config.get("segment") or config.get("chunk_length_s") or 1.0
    try:
        return math.ceil(round(float(seconds) * float(sample_rate)) / hop)
    except (TypeError, ValueError, OverflowError) as error:
        raise WavelexError(f"its configuration says segments of {seconds!r:.40} s at {sample_rate!r:.40} Hz") from error


CONVERTER = Converter("EnCodec, facebookresearch", "MIT, with the released code", _recognises, _convert)
