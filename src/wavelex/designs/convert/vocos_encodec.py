"""Vocos for EnCodec's tokens. Its own checkpoint holds the decoder and a copy of the codebooks: the encoder is in EnCodec's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.codebooks import averaged_codebook
from wavelex.designs.convert.language_codec import ENCODEC, encoder_sizes, skip_training
from wavelex.designs.convert.reading import read_published
from wavelex.designs.convert.seanet import seanet_weights
from wavelex.designs.convert.tensors import Tensors
from wavelex.designs.convert.vocos_parts import decoder_rows, decoder_sizes, decoder_tensors
from wavelex.errors import WavelexError

COPY = "feature_extractor.codebook_weights"
SAMPLE_RATE = 24_000
BANDWIDTHS = (1.5, 3.0, 6.0, 12.0)
"""In kbit/s, one for each row of the adaptive norms."""


def _recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    return COPY in tensors and decoder_rows(tensors) > 0


def _convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    inside = any(name.startswith(f"{ENCODEC}.") for name in tensors.names())
    encodec = tensors.under(ENCODEC) if inside else _beside(config)
    encoder = seanet_weights(encodec.under("encoder.model"))
    sizes = encoder_sizes(encoder)
    codebooks = _codebooks(encodec, tensors.take(COPY))
    size = len(codebooks["layers.0.total"])
    arguments = {**sizes, **decoder_sizes(tensors), "size": size, "rates": _rates(tensors, config, math.prod(sizes["strides"]), size)}
    if max(arguments["rates"]) * 3 != len(codebooks):
        raise WavelexError(f"{COPY} holds {len(codebooks) // 3} codebooks, and its bandwidths mean {max(arguments['rates'])}")
    parts = {"encoder": encoder, "quantizer": codebooks, "decoder": decoder_tensors(tensors)}
    # Of EnCodec its own decoder, and the codebooks of higher bit rates than Vocos knows.
    encodec.skip(name for name in encodec.names() if name.startswith(("decoder.", "quantizer.")))
    if not inside:
        encodec.done()
    skip_training(tensors)
    return Converted(
        "vocos_encodec", arguments, {f"{part}.{name}": tensor for part, of_part in parts.items() for name, tensor in of_part.items()}
    )


def _beside(config: Mapping[str, Any]) -> Tensors:
    """EnCodec's own checkpoint."""
    if "encodec" not in config:
        raise WavelexError('the encoder is not in it; name EnCodec\'s own checkpoint as well, as "encodec" in the configuration')
    return Tensors(read_published(Path(str(config["encodec"]))).tensors)


def _codebooks(encodec: Tensors, copy: Tensor) -> dict[str, Tensor]:
    """As many of EnCodec's as the decoder was trained with. Raises WavelexError where they have moved since."""
    layers = encodec.under("quantizer.vq.layers")
    count = len(copy) // layers.shape("0._codebook.embed")[0]
    found = {
        f"layers.{index}.{name}": tensor
        for index in range(count)
        for name, tensor in averaged_codebook(layers.under(f"{index}._codebook")).items()
    }
    vectors = [found[f"layers.{index}.total"] / found[f"layers.{index}.usage"][:, None] for index in range(count)]
    if not vectors or not torch.equal(torch.cat(vectors), copy):
        raise WavelexError(f"{COPY} are not the codebooks of this EnCodec; codes must mean the same to its encoder and to this decoder")
    return found


def _rates(tensors: Tensors, config: Mapping[str, Any], hop: int, size: int) -> list[int]:
    """How many codebooks each row of the adaptive norms is for: as many as EnCodec takes for its bandwidth."""
    extractor = config.get("feature_extractor")
    bandwidths = extractor.get("bandwidths", BANDWIDTHS) if isinstance(extractor, Mapping) else BANDWIDTHS
    numbers = isinstance(bandwidths, (list, tuple)) and all(isinstance(each, (int, float)) for each in bandwidths)
    if not numbers or len(bandwidths) != decoder_rows(tensors):
        raise WavelexError(f"its norms have {decoder_rows(tensors)} rows, which bandwidths of {bandwidths!r} kbit/s do not fit")
    return [max(1, int(1000 * bandwidth / (SAMPLE_RATE / hop * math.log2(size)))) for bandwidth in bandwidths]


CONVERTER = Converter("Vocos for EnCodec, gemelo-ai", "MIT; that of EnCodec for the weights it takes from there", _recognises, _convert)
