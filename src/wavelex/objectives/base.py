"""What objectives are given and what they are: terms to be minimised, by name, whatever the design."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from wavelex.decoders.base import Condition
from wavelex.quantizers.base import Quantized


class Made(NamedTuple):
    """What a codec made of a batch."""

    samples: Tensor
    """(batch, 1, T), as many as the input has."""
    latents: Tensor
    """(batch, dim, frames) before the quantizer."""
    quantized: Quantized | None
    """The quantizer's result, where codes were used."""
    condition: Condition | None = None
    """What the decoder was given besides."""


class Batch(NamedTuple):
    """What a codec is trained on in one step."""

    samples: Tensor
    """(batch, 1, T) in [-1, 1]."""
    clips: Tensor
    """(batch, 2) int64: which recording each begins in and at which of its samples, keys into caches and labels."""
    reference: Tensor | None = None
    """(batch, 1, T): another stretch of the same recording."""


class Teacher(Protocol):
    """A frozen model whose features are a target."""

    name: str
    digest: str
    """Of its weights; a cache of its features is known by it."""
    dim: int
    frame_rate: Fraction
    differentiable: bool
    """Whether gradients may flow through it to the samples."""

    def features(self, samples: Tensor) -> Tensor:
        """Samples (batch, 1, T) to (batch, dim, frames); frame i is centred at (i + 0.5) / frame_rate seconds."""


class Objective(nn.Module):
    """Gives terms to be minimised. Its parameters (heads) train with the codec, and are stored with a run but not with the codec.

    Modules of `critics` are another matter: they are its adversaries, and learn by `criticize` with an optimizer of their own.
    """

    terms: tuple[str, ...] = ()
    """What it can give."""

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Scalars by term, unweighted; a term that does not apply (commitment without codes) is left out.

        `targets` are features of teachers by their names, `generator` is for whatever is to be drawn.
        """
        raise NotImplementedError(type(self).__name__)

    def critics(self) -> list[nn.Module]:
        """The adversaries among its modules."""
        return []

    def criticize(self, made: Made, batch: Batch) -> Tensor:
        """What the critics minimise, with no gradient to the codec."""
        raise NotImplementedError(type(self).__name__)

    def heads(self) -> list[nn.Parameter]:
        """Parameters that train with the codec: all that are not the critics'."""
        apart = {id(p) for critic in self.critics() for p in critic.parameters()}
        return [p for p in self.parameters() if id(p) not in apart]
