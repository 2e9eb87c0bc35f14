"""What a converter is: from tensors under published names to a design and its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from wavelex.designs.convert.tensors import Tensors
from wavelex.errors import WavelexError


class Converted(NamedTuple):
    """What a checkpoint is here."""

    design: str
    arguments: dict[str, Any]
    tensors: dict[str, Tensor]
    """By the names of the design's own state dict, all of it."""


@dataclass(frozen=True)
class Converter:
    """Of the checkpoints of one published codec."""

    name: str
    """As people call it: `EnCodec, facebookresearch`."""
    licence: str
    """Of the weights that its authors published."""
    recognises: Callable[[Tensors, Mapping[str, Any]], bool]
    """Whether these are its tensors; by names and shapes that no other has."""
    convert: Callable[[Tensors, Mapping[str, Any]], Converted]
    """Takes every tensor. The mapping is the published configuration, by the authors' own names, as far as one lay in or beside the
    checkpoint; what it does not say is read from shapes, else as published. Raises WavelexError for missing or misshapen tensors."""


def whole_number(config: Mapping[str, Any], *names: str, default: int) -> int:
    """What a configuration says under the first of some names that it has. Raises WavelexError for what is no whole number above 0."""
    value = next((config[name] for name in names if name in config), default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WavelexError(f"its configuration says {names[0]} {value!r}, not a whole number above 0")
    return value
