"""What a converter is: from tensors under published names to a design and its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from wavelex.designs.convert.tensors import Tensors


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
