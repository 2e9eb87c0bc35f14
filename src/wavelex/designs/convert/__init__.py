"""Published weights as designs of this library, one file a codec. Only what is listed here is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from wavelex.codec.model import CodecModel
from wavelex.designs import build
from wavelex.designs.convert import (
    bigcodec,
    dac,
    encodec,
    hifi_codec,
    language_codec,
    magicodec,
    mimi,
    pocket_tts,
    snac,
    vibevoice,
    vocos_encodec,
)
from wavelex.designs.convert.base import Converter
from wavelex.designs.convert.reading import read_published
from wavelex.designs.convert.tensors import Tensors
from wavelex.designs.convert.waiting import waiting_for
from wavelex.errors import WavelexError

CONVERTERS: tuple[Converter, ...] = (
    bigcodec.CONVERTER,
    dac.CONVERTER,
    encodec.CONVERTER,
    hifi_codec.CONVERTER,
    language_codec.CONVERTER,
    magicodec.CONVERTER,
    mimi.CONVERTER,
    pocket_tts.CONVERTER,
    snac.CONVERTER,
    vibevoice.CONVERTER,
    vocos_encodec.CONVERTER,
)


MALFORMED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError)
"""What tensors of other shapes and configurations of other types than published make of arithmetic on them."""


class Imported(NamedTuple):
    """A published checkpoint as a model."""

    model: CodecModel
    name: str
    """Of the published codec."""
    licence: str
    """Of the weights as their authors published them; those of others may have another."""


def import_checkpoint(path: Path, config: Mapping[str, Any] | None = None) -> Imported:
    """The model of a published checkpoint, in eval mode; `config` adds to or replaces what the checkpoint says of its configuration.

    Raises WavelexError for a checkpoint of no known codec, or of one that waits for a part (`waiting`), and for tensors that are missing,
    left over or misshapen.
    """
    published = read_published(path)
    told = {**published.config, **(config or {})}
    try:
        converter = next((each for each in CONVERTERS if each.recognises(Tensors(published.tensors), told)), None)
        sentence = waiting_for(Tensors(published.tensors), told) if converter is None else ""
    except MALFORMED as error:
        raise WavelexError(f"{path}: its tensors or configuration are those of no codec ({_line(error)})") from error
    if converter is None:
        if sentence:
            raise WavelexError(f"{path}: {sentence}")
        some = ", ".join(sorted(published.tensors)[:3])
        raise WavelexError(
            f"{path}: not the weights of a codec that is known here ({some}, ...); known are {', '.join(c.name for c in CONVERTERS)}"
        )
    tensors = Tensors(published.tensors)
    try:
        design, arguments, ours = converter.convert(tensors, told)
        tensors.done()
        model = build(design, arguments)
        _fill(model, ours)
    except WavelexError as error:
        raise WavelexError(f"{path}: looks like {converter.name}, but {error}") from error
    except MALFORMED as error:
        raise WavelexError(
            f"{path}: looks like {converter.name}, but its tensors or configuration are not those of one ({_line(error)})"
        ) from error
    return Imported(model.eval(), converter.name, converter.licence)


def _line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(f"{error}".split())[:200] or type(error).__name__


def _fill(model: CodecModel, ours: Mapping[str, torch.Tensor]) -> None:
    """Raises WavelexError where a converter gave other tensors than the design has."""
    expected = model.state_dict()
    for key in sorted({*expected, *ours}):
        if key not in expected or key not in ours:
            raise WavelexError(f"{key} has no {'place in' if key in ours else 'counterpart for'} design {model.design}")
        if expected[key].is_floating_point() != ours[key].is_floating_point() or ours[key].is_complex():
            raise WavelexError(f"{key} holds {ours[key].dtype}, where design {model.design} has {expected[key].dtype}")
        if ours[key].is_floating_point() and not torch.isfinite(ours[key]).all():
            raise WavelexError(f"{key} becomes NaN or infinite")
        if expected[key].shape != ours[key].shape:
            raise WavelexError(f"{key} is {tuple(ours[key].shape)}, where design {model.design} has {tuple(expected[key].shape)}")
    model.load_state_dict(dict(ours))
