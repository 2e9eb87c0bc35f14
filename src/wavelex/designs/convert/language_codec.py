"""Language-Codec and WavTokenizer, which share all but sizes, quantizer and attention: `feature_extractor.*`, `backbone.*`, `head.*`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.codebooks import averaged_codebooks
from wavelex.designs.convert.seanet import seanet_arguments, seanet_weights
from wavelex.designs.convert.tensors import Tensors
from wavelex.designs.convert.vocos_parts import decoder_rows, decoder_sizes, decoder_tensors, has_attention
from wavelex.errors import WavelexError

SLOW_HOP = 600
"""Of WavTokenizer at 40 frames a second."""
ENCODEC = "feature_extractor.encodec"
TRAINING = ("multiperioddisc.", "multiresddisc.", "dac.", "dacdiscriminator.", "melspec_loss.")
"""Discriminators and the mel filters of a loss, which a checkpoint of a training run also holds."""
GIVEN = {
    "kernel": 7,
    "last_kernel": 7,
    "residual_kernel": 3,
    "residual_layers": 1,
    "compress": 2,
    "shortcut": True,
    "lstm": 2,
    "channels": 1,
}
"""What the designs say of the encoder without asking."""


def encoder_sizes(encoder: dict[str, Tensor]) -> dict[str, Any]:
    """Arguments of a design that shapes tell: dim, filters, strides. Raises WavelexError where others than `GIVEN` do not fit."""
    arguments = seanet_arguments(encoder)
    for name, value in GIVEN.items():
        if arguments[name] != value:
            raise WavelexError(f"its encoder has {name} {arguments[name]}, where {value} is published")
    return {name: arguments[name] for name in ("dim", "filters", "strides")}


def has_encoder(tensors: Tensors) -> bool:
    """Whether these are all three parts of a codec with a Vocos decoder whose norms are adaptive."""
    return f"{ENCODEC}.quantizer.vq.layers.0._codebook.embed" in tensors and decoder_rows(tensors) > 0


def skip_training(tensors: Tensors) -> None:
    """What only training needs."""
    tensors.skip(name for name in tensors.names() if name.startswith(TRAINING))


def _recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    return has_encoder(tensors) and "feature_extractor.codebook_weights" not in tensors


def _convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    encoder = seanet_weights(tensors.under(f"{ENCODEC}.encoder.model"))
    codebooks = averaged_codebooks(tensors.under(f"{ENCODEC}.quantizer.vq.layers"), "_codebook")
    count = sum(name.endswith(".total") for name in codebooks)
    rows, row = decoder_rows(tensors), config.get("bandwidth_id", 0)
    if not isinstance(row, int) or not 0 <= row < rows:
        raise WavelexError(f"bandwidth_id is {row!r}; choose from 0 to {rows - 1}")
    arguments = {**encoder_sizes(encoder), **decoder_sizes(tensors), "size": len(codebooks["layers.0.total"]), "rows": rows, "row": row}
    if not has_attention(tensors):
        design, arguments["codebooks"] = "language_codec", count
    elif count == 1:
        design = "wavtokenizer_40" if math.prod(arguments["strides"]) == SLOW_HOP else "wavtokenizer_75"
    else:
        raise WavelexError(f"it has {count} codebooks, of which the released code of WavTokenizer uses the last alone; one is published")
    parts = {"encoder": encoder, "quantizer": codebooks, "decoder": decoder_tensors(tensors)}
    # EnCodec's own decoder, which is never used.
    tensors.skip(name for name in tensors.names() if name.startswith(f"{ENCODEC}.decoder."))
    skip_training(tensors)
    return Converted(design, arguments, {f"{part}.{name}": tensor for part, of_part in parts.items() for name, tensor in of_part.items()})


CONVERTER = Converter("Language-Codec or WavTokenizer, jishengpeng", "MIT, with the released code", _recognises, _convert)
