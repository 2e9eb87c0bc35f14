"""One file a codec design: a function that puts the parts together. Only what is listed here can be named in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.designs import speech_16k
from wavelex.errors import WavelexError
from wavelex.training.recipe import Recipe

DESIGNS: Mapping[str, Callable[..., CodecModel]] = {"speech_16k": speech_16k.speech_16k}
RECIPES: Mapping[str, Callable[[], Recipe]] = {"speech_16k": speech_16k.recipe}


def build(design: str, arguments: Mapping[str, Any] | None = None) -> CodecModel:
    """A model with fresh weights. Raises WavelexError for an unknown design or argument."""
    arguments = dict(arguments or {})
    _check(design)
    try:
        model = DESIGNS[design](**arguments)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError, MemoryError) as error:
        raise WavelexError(f"design {design} cannot be built with {f'{arguments}'[:200]}: {f'{error}'.splitlines()[0][:200]}") from error
    model.design, model.arguments = design, arguments
    return model


def recipe(design: str) -> Recipe:
    """How a design is trained. Raises WavelexError for an unknown one."""
    _check(design)
    return RECIPES[design]()


def _check(design: str) -> None:
    if design not in DESIGNS:
        raise WavelexError(f"unknown design {design[:40]!r}; this version knows {', '.join(sorted(DESIGNS))}")
