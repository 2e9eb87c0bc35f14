"""Streaming layers side by side, and layers that know no time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming


class Each(Streaming):
    """A module that works on every step alone (an activation, a map of channels): the same, whatever the chunk."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def initial_state(self, batch: int, like: Tensor) -> State:
        return ()

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return (self.module(x) if x.shape[-1] else self.module(nn.functional.pad(x, (0, 1)))[..., :0]), state


class Sum(Streaming):
    """The sum of branches over one input, as in a residual unit; what is ready earlier in one waits for the others.

    All branches have one pace, and give as many steps in the end.
    """

    def __init__(self, *branches: Streaming) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.lookahead = max(branch.lookahead for branch in branches)
        self.pace = branches[0].pace

    def initial_state(self, batch: int, like: Tensor) -> State:
        return tuple((branch.initial_state(batch, like), None) for branch in self._branches)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        ready, states = [], []
        for branch, (carried, waiting) in zip(self._branches, state, strict=True):
            y, carried = branch.step(x, carried, final)
            ready.append(y if waiting is None else torch.cat([waiting, y], dim=-1))
            states.append(carried)
        count = min(y.shape[-1] for y in ready)
        total = torch.stack([y[..., :count] for y in ready]).sum(0) if len(ready) > 2 else ready[0][..., :count] + ready[1][..., :count]
        return total, tuple((carried, y[..., count:]) for carried, y in zip(states, ready, strict=True))

    @property
    def _branches(self) -> list[Streaming]:
        return [branch for branch in self.branches if isinstance(branch, Streaming)]


class Mean(Sum):
    """The mean of branches instead of their sum."""

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        total, state = super().step(x, state, final)
        return total / len(self.branches), state


class Same(Streaming):
    """Its input: the other branch of a residual unit."""

    def initial_state(self, batch: int, like: Tensor) -> State:
        return ()

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return x, state
