"""What a design is: its card, how it is built, how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.training.recipe import Recipe


@dataclass(frozen=True)
class Card:
    """What there is to know of a published codec besides its parts. Documentation, `wavelex designs` and the tests read it."""

    paper: str
    """Authors, title and where: `Ji et al., "Language-Codec" (arXiv 2402.12208)`."""
    summary: str
    """What is new about it, in a sentence."""
    aims_at: str
    """The published results that it should reach when trained as published."""
    parameters: float = 0.0
    """Of the published model, in millions; 0 where that is not known."""
    licence: str = "none published"
    """Of the published weights."""
    deviations: tuple[str, ...] = ()
    """From the paper or the published code, each deliberate, each in a sentence."""
    covers: tuple[str, ...] = ()
    """Further papers whose codec can be built with it by other arguments or parts."""


@dataclass(frozen=True)
class Design:
    """One page: a card, `build` with plain JSON values as arguments, and the recipe of the paper."""

    name: str
    card: Card
    build: Callable[..., CodecModel]
    recipe: Callable[[], Recipe]
    small: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the preset `small`: the same structure at 16 kHz with at most some 3 million parameters."""
