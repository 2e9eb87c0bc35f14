"""One file a codec design: a function that puts the parts together. Only what is listed here can be named in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.designs import (
    bigcodec,
    coda,
    continuous_vae,
    dac,
    encodec_24k,
    encodec_48k,
    fsq_codec,
    hh_codec,
    hifi_codec,
    language_codec,
    language_codec_stream,
    lattice_codec,
    magicodec,
    mimi,
    pocket_tts,
    secodec,
    simvq_codec,
    snac,
    soundstream,
    speech_16k,
    tokenbridge,
    vibevoice,
    vocos_encodec,
    vq_gan_lc,
    wavtokenizer,
)
from wavelex.designs.base import Design
from wavelex.errors import WavelexError
from wavelex.training.recipe import Recipe

_ALL = (
    bigcodec.DESIGN,
    coda.DESIGN,
    continuous_vae.DESIGN,
    dac.DAC_16K,
    dac.DAC_24K,
    dac.DAC_44K,
    encodec_24k.DESIGN,
    encodec_48k.DESIGN,
    fsq_codec.DESIGN,
    hh_codec.DESIGN,
    hifi_codec.DESIGN,
    language_codec.DESIGN,
    language_codec_stream.DESIGN,
    lattice_codec.DESIGN,
    magicodec.DESIGN,
    mimi.DESIGN,
    pocket_tts.DESIGN,
    secodec.DESIGN,
    simvq_codec.DESIGN,
    snac.SNAC_24K,
    snac.SNAC_44K,
    soundstream.DESIGN,
    speech_16k.DESIGN,
    tokenbridge.DESIGN,
    vibevoice.DESIGN,
    vocos_encodec.DESIGN,
    vq_gan_lc.DESIGN,
    wavtokenizer.DESIGN_40,
    wavtokenizer.DESIGN_75,
)
DESIGNS: Mapping[str, Design] = {design.name: design for design in _ALL}
PRESETS = ("full", "small")


def build(design: str, arguments: Mapping[str, Any] | None = None, preset: str = "full") -> CodecModel:
    """A model with fresh weights: of the published size, or that of a preset, where `arguments` do not say otherwise.

    Raises WavelexError for an unknown design, preset or argument.
    """
    found = find(design)
    if preset not in PRESETS:
        raise WavelexError(f"unknown preset {preset[:40]!r}; choose from {', '.join(PRESETS)}")
    arguments = {**(found.small if preset == "small" else {}), **(arguments or {})}
    try:
        model = found.build(**arguments)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError) as error:
        raise WavelexError(f"design {design} cannot be built with {f'{arguments}'[:200]}: {f'{error}'.splitlines()[0][:200]}") from error
    model.design, model.arguments = design, arguments
    return model


def recipe(design: str) -> Recipe:
    """How a design is trained. Raises WavelexError for an unknown one."""
    return find(design).recipe()


def find(design: str) -> Design:
    """A design by name. Raises WavelexError for an unknown one."""
    if design not in DESIGNS:
        raise WavelexError(f"unknown design {design[:40]!r}; this version knows {', '.join(sorted(DESIGNS))}")
    return DESIGNS[design]
