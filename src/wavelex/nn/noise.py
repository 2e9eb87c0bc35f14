"""Noise that a layer adds in an amount of its own, the same for the same seed wherever a signal is cut."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming

WORD = 0xFFFFFFFF


class ScaledNoise(Streaming):
    """Adds white noise, the same in all channels but for the amount that a map of them tells: (batch, dim, T) -> the same.

    Siuzdak et al., "SNAC" (arXiv 2410.14411), section 2.2. The noise depends on the seed, on `stream` (which of several such layers it
    is) and on the number of the step alone, so a chunked signal hears what a whole one does; while training, every item of every batch
    hears other noise.
    """

    def __init__(self, dim: int, stream: int = 0) -> None:
        super().__init__()
        self.amount = nn.Conv1d(dim, dim, 1, bias=False)
        self.stream = stream

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.seeded(0)

    def seeded(self, seed: int) -> State:
        """The state before the first step of a signal with this seed."""
        return seed, 0

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        seed, place = state
        if not x.shape[-1]:
            return x, state
        noise = torch.randn_like(x[:, :1]) if self.training else self.draw(seed, place, x.shape[-1], x)
        return x + noise * self.amount(x), (seed, place + x.shape[-1])

    def draw(self, seed: int, place: int, count: int, like: Tensor) -> Tensor:
        """The noise of `count` steps from `place`, that broadcasts to (batch, 1, count)."""
        key = int(_mixed(torch.tensor((seed + 0x9E3779B9 * (self.stream + 1)) & WORD)))
        return gaussian(key, place, count, like.device).to(like.dtype)


def gaussian(key: int, place: int, count: int, device: torch.device) -> Tensor:
    """Numbers `place` to `place + count` of a sequence of normal deviates that `key` (32 bits) names: (count,) float32.

    A hash of the number instead of a generator's state, so that any stretch of the sequence can be had by itself.
    """
    numbers = torch.arange(place, place + count, device=device)
    first = _mixed((_mixed(numbers & WORD) + key) & WORD)
    second = _mixed((first + 0x85EBCA6B) & WORD)
    # Box and Muller: a radius from one uniform number, an angle from another.
    radius = torch.sqrt(-2 * torch.log((first.float() + 1) / (WORD + 2)))
    return radius * torch.cos(second.float() * (2 * math.pi / (WORD + 1)))


def _mixed(x: Tensor) -> Tensor:
    """A permutation of 32-bit numbers (held in int64) after which neighbours have nothing in common: two rounds of shift and multiply."""
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & WORD
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & WORD
    return x ^ (x >> 16)
