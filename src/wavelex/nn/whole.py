"""A module that needs the whole signal, as a streaming layer that gives nothing before the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming


class Whole(Streaming):
    """Holds what it is given until the end: (batch, dim, T) -> what `module` makes of all of it, (batch, channels, T').

    For layers that look at the whole utterance (attention without a window, normalisation over time, recurrence backwards). An encoder or
    decoder with one of these says `streams = False`.
    """

    def __init__(self, module: nn.Module, channels: int) -> None:
        super().__init__()
        self.module, self.channels = module, channels

    def initial_state(self, batch: int, like: Tensor) -> State:
        return ()

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        held = torch.cat([*state, x], dim=-1)
        if final and held.shape[-1]:
            return self.module(held), ()
        return x.new_zeros(x.shape[0], self.channels, 0), (held,)
