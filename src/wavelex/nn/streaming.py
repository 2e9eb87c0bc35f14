"""The contract that every layer shares: one implementation, run whole or chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

State = Any
"""What a layer carries from one chunk to the next: tensors, or tuples of states. Opaque to callers."""


class Streaming(nn.Module):
    """A layer that turns a chunk and a state into a chunk and a new state.

    The state is passed in and out and never kept in the module, so any number of sessions share one
    set of weights. `forward` is a single final chunk, hence whole and chunked runs cannot differ by design.
    (Kyutai's moshi and FocalCodec-Stream were the models; here the state is explicit in both directions.)
    """

    lookahead: int = 0
    """Steps after an output's own hop that the output needs; of the input, or of the output where that has more of them."""
    pace: Fraction = Fraction(1)
    """Input steps for an output step: the stride of a convolution, its inverse where a layer up-samples."""

    def initial_state(self, batch: int, like: Tensor) -> State:
        """State before the first chunk, for `batch` streams, on the device and in the dtype of `like`."""
        raise NotImplementedError(type(self).__name__)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        """Consume a chunk of any length (0 included); `final` also emits what was waiting for look-ahead."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, x: Tensor) -> Tensor:
        """The whole signal at once."""
        return self.step(x, self.initial_state(x.shape[0], x), final=True)[0]


class Chain(Streaming):
    """Streaming layers one after another; the state is the tuple of theirs."""

    def __init__(self, *layers: Streaming) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.pace = math.prod((layer.pace for layer in layers), start=Fraction(1))
        self.lookahead = total_lookahead(layers, max(Fraction(1), 1 / self.pace))

    @property
    def _links(self) -> Iterator[Streaming]:
        return (layer for layer in self.layers if isinstance(layer, Streaming))

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return next(self.parameters()).dtype

    def initial_state(self, batch: int, like: Tensor) -> State:
        return tuple(layer.initial_state(batch, like) for layer in self._links)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        states = []
        for layer, carried in zip(self._links, state, strict=True):
            x, carried = layer.step(x, carried, final)
            states.append(carried)
        return x, tuple(states)


def total_lookahead(layers: Iterable[Streaming], step: int | Fraction) -> int:
    """Samples of look-ahead of layers one after another, the first of which takes a step every `step` samples."""
    total, samples = Fraction(0), Fraction(step)
    for layer in layers:
        total += layer.lookahead * samples * min(Fraction(1), layer.pace)
        samples *= layer.pace
    return math.ceil(total)


class Window:
    """Which input steps each output of a sliding window sees, and the buffer arithmetic that follows from it.

    Output j covers the `span` inputs from j*hop - past, with past = span - hop - lookahead; N inputs give
    ceil(N / hop) outputs. The carried buffer always starts at the first input of the next output, so its
    length is all the bookkeeping there is.
    """

    def __init__(self, span: int, hop: int = 1, lookahead: int = 0) -> None:
        self.span, self.hop, self.lookahead = span, hop, lookahead
        self.past = span - hop - lookahead
        if self.past < 0:
            raise ValueError(f"a window of {span} cannot advance by {hop} with a look-ahead of {lookahead}")

    def initial_buffer(self, *shape: int, like: Tensor) -> Tensor:
        """The silence before the stream: zeros of (*shape, past)."""
        return like.new_zeros(*shape, self.past)

    def advance(self, buffer: Tensor, x: Tensor, final: bool) -> tuple[Tensor, Tensor, int]:
        """Append x; give the inputs of the outputs now ready, the next buffer, and how many outputs those are."""
        buffer = torch.cat([buffer, x], dim=-1)
        available = buffer.shape[-1]
        if final:
            ready = -(-(available - self.past) // self.hop)
            missing = max(0, (ready - 1) * self.hop + self.span - available)
            buffer = nn.functional.pad(buffer, (0, missing)) if ready else buffer
        else:
            ready = max(0, (available - self.span) // self.hop + 1)
        used = (ready - 1) * self.hop + self.span if ready else 0
        return buffer[..., :used], buffer[..., ready * self.hop :], ready
