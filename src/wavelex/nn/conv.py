"""Convolutions that stream with bounded look-ahead: plain, strided and transposed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming, Window


class Conv1d(Streaming):
    """Convolution over time, causal unless `lookahead` says otherwise.

    (batch, in_channels, T) -> (batch, out_channels, ceil(T / stride)). `lookahead` is in input steps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        lookahead: int = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride=stride, dilation=dilation, groups=groups)
        self.window = Window((kernel - 1) * dilation + 1, stride, lookahead)
        self.lookahead = lookahead

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.window.initial_buffer(batch, self.conv.in_channels, like=like)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        ready_input, buffer, ready = self.window.advance(state, x, final)
        if not ready:
            return x.new_zeros(x.shape[0], self.conv.out_channels, 0), buffer
        return self.conv(ready_input), buffer


class ConvTranspose1d(Streaming):
    """Up-sampling convolution: (batch, in_channels, T) -> (batch, out_channels, T * stride).

    Each input spreads over `kernel` >= stride outputs. `trim` drops that many samples from the start of the
    overlapped result, which centres the kernel and costs a look-ahead of `trim` output samples.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, trim: int = 0) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(in_channels, out_channels, kernel, stride=stride, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels, 1))
        self.overlap = OverlapAdd(kernel, stride, trim)
        self.lookahead = trim

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.overlap.initial_state((batch, self.conv.out_channels), like)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        spread = self.conv(x) if x.shape[-1] else x.new_zeros(x.shape[0], self.conv.out_channels, 0)
        y, state = self.overlap.add(spread, state, final)
        return y + self.bias, state


class OverlapAdd:
    """The tail that overlapping output windows carry from one chunk to the next.

    Works on the already overlapped result of a chunk (N hops of it plus span - hop samples). The state is the
    unfinished tail and the number of leading samples still to be dropped.
    """

    def __init__(self, span: int, hop: int, trim: int = 0) -> None:
        if not 0 <= trim <= span - hop:
            raise ValueError(f"cannot trim {trim} samples from windows of {span} every {hop}")
        self.span, self.hop, self.trim = span, hop, trim

    def initial_state(self, shape: tuple[int, ...], like: Tensor) -> State:
        return like.new_zeros(*shape, self.span - self.hop), self.trim

    def add(self, overlapped: Tensor, state: State, final: bool) -> tuple[Tensor, State]:
        """Give the samples that no later window can change, and the new state."""
        tail, drop = state
        if overlapped.shape[-1]:
            overlapped = torch.cat([overlapped[..., : tail.shape[-1]] + tail, overlapped[..., tail.shape[-1] :]], dim=-1)
        else:
            overlapped = tail
        done = overlapped.shape[-1] - tail.shape[-1]
        if final:
            # The tail still owes the samples that trimming the start had delayed.
            return overlapped[..., drop : done + self.trim], (overlapped[..., done:], 0)
        dropped = min(drop, done)
        return overlapped[..., dropped:done], (overlapped[..., done:], drop - dropped)
