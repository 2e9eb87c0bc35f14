"""Periodic activations: the snake, and the snake between up-sampling and down-sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wavelex.nn.combine import Each
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.streaming import State, Streaming

TINY = 1e-9
"""Keeps the quotient finite; part of the published formula."""
TAPS = 12
"""Of the low-pass filters of `AliasFreeSnake`."""


class Snake(nn.Module):
    """x + sin(a x)^2 / a with a learned for each channel: (batch, channels, T) -> the same (Ziyin et al., arXiv 2006.08195)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha[:, None]
        return x + torch.sin(alpha * x).square() / (alpha + TINY)


def snake(channels: int) -> Streaming:
    """`Snake` as a streaming layer."""
    return Each(Snake(channels))


class AliasFreeSnake(Streaming):
    """A snake at twice the rate, so that the overtones which it makes do not fold back: (batch, channels, T) -> the same.

    x + sin(exp(a) x)^2 / exp(b) with a and b learned for each channel, between an up-sampling by two and its inverse, whose ends repeat
    the first and last step (Lee et al., "BigVGAN", arXiv 2206.04658, section 3.2; after Karras et al., arXiv 2106.12423). Both low-pass
    filters are a sinc under a Kaiser window, kept in the state because published checkpoints keep theirs.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.zeros(channels)), nn.Parameter(torch.zeros(channels))
        # Each input step gives two of the doubled rate, one after the other in the channels until they are interleaved.
        self.up = PaddedConv1d(channels, 2 * channels, TAPS // 2 + 1, left=TAPS // 4, right=TAPS // 4, mode="replicate")
        self.up.conv = SharedFilter(channels, phases(low_pass()))
        self.down = PaddedConv1d(channels, channels, TAPS, stride=2, left=TAPS // 2 - 1, right=TAPS // 2, mode="replicate")
        self.down.conv = SharedFilter(channels, low_pass()[None, None], stride=2)
        # The last of the doubled steps that an output sees lie three steps ahead, and those see as far again.
        self.lookahead = 2 * self.up.lookahead

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.up.initial_state(batch, like), self.down.initial_state(batch, like)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        of_up, of_down = state
        pairs, of_up = self.up.step(x, of_up, final)
        doubled = pairs.reshape(len(x), x.shape[1], 2, pairs.shape[-1]).transpose(2, 3).flatten(2)
        bent = doubled + torch.sin(self.alpha.exp()[:, None] * doubled).square() / (self.beta.exp()[:, None] + TINY)
        y, of_down = self.down.step(bent, of_down, final)
        return y, (of_up, of_down)


class SharedFilter(nn.Conv1d):
    """A convolution of every channel with the same filters (n, 1, taps), which are not learned: (batch, channels, T) to n times as many."""

    def __init__(self, channels: int, filters: Tensor, stride: int = 1) -> None:
        super().__init__(channels, channels * len(filters), filters.shape[2], stride=stride, groups=channels, bias=False)
        del self.weight
        self.register_buffer("weight", filters)

    def forward(self, x: Tensor) -> Tensor:
        every = self.weight.repeat(self.in_channels, 1, 1)
        return nn.functional.conv1d(x, every, stride=self.stride, groups=self.in_channels)


def low_pass() -> Tensor:
    """The filter (12,): cut off at a quarter of the doubled rate, with a transition half as wide as that (in the units of `julius`)."""
    width = 4 * 0.3
    attenuation = 2.285 * (TAPS // 2 - 1) * math.pi * width + 7.95
    # Kaiser's rule for the window's shape, for an attenuation between 21 and 50 decibels.
    shape = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    # On the CPU even where a model is built without memory: torch takes seconds to learn to make a window there.
    window = torch.kaiser_window(TAPS, periodic=False, beta=shape, device="cpu")
    taps = window * torch.sinc(0.5 * (torch.arange(TAPS, device="cpu") - TAPS / 2 + 0.5))
    return taps / taps.sum()


def phases(taps: Tensor) -> Tensor:
    """A filter (12,) at the doubled rate as what each of two neighbouring steps takes of the inputs around: (2, 1, 7).

    The steps between the inputs hold nothing, hence the factor of two.
    """
    odd, even = taps[1::2].flip(0), taps[0::2].flip(0)
    return 2 * torch.stack([nn.functional.pad(odd, (0, 1)), nn.functional.pad(even, (1, 0))])[:, None]
