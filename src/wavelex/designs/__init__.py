"""One file a codec design: a function that puts the parts together. Only what is listed here can be named in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.designs.speech_16k import speech_16k
from wavelex.errors import WavelexError

DESIGNS: Mapping[str, Callable[..., CodecModel]] = {"speech_16k": speech_16k}


def build(design: str, arguments: Mapping[str, Any] | None = None) -> CodecModel:
    """A model with fresh weights. Raises WavelexError for an unknown design or argument."""
    arguments = dict(arguments or {})
    if design not in DESIGNS:
        raise WavelexError(f"unknown design {design!r}; this version knows {', '.join(sorted(DESIGNS))}")
    try:
        model = DESIGNS[design](**arguments)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError, MemoryError) as error:
        raise WavelexError(f"design {design} cannot be built with {f'{arguments}'[:200]}: {f'{error}'.splitlines()[0][:200]}") from error
    model.design, model.arguments = design, arguments
    return model
