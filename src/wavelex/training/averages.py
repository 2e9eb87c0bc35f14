"""Running averages of weights, which code better than the weights of any step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from wavelex.codec.model import CodecModel


class Averages:
    """Exponential averages of a codec's parameters by name."""

    def __init__(self, codec: CodecModel, decay: float) -> None:
        self.codec, self.decay = codec, decay
        self.values: dict[str, Tensor] = {}
        self.restart()

    def restart(self) -> None:
        """Begin with the weights as they are."""
        self.values = {name: p.detach().clone() for name, p in self.codec.named_parameters()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after a step into the averages."""
        # A short memory at first, so that the average does not carry the random start along.
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in self.codec.named_parameters():
            self.values[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[CodecModel]:
        """The codec with its averages for weights; the weights themselves are back afterwards, whatever happens."""
        held = {name: p.detach().clone() for name, p in self.codec.named_parameters()}
        try:
            self._set(self.values)
            yield self.codec
        finally:
            self._set(held)

    @torch.no_grad()
    def _set(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.codec.named_parameters():
            parameter.copy_(values[name])
