"""Convolutions with the padding of published codecs at both ends of a signal, that stream all the same.

`nn.conv` knows one end: a signal begins in silence and is followed by it. Published codecs reflect, repeat or leave away the ends of
every layer's own input. These layers do exactly that, chunk by chunk: the start waits until there is enough to reflect, the last chunk
brings the end's padding.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming

MODES = ("zeros", "reflect", "replicate")


class PaddedConv1d(Streaming):
    """Convolution over time: (batch, in_channels, T) -> (batch, out_channels, T').

    Sees its input with `left` and `right` steps of padding of a kind (`mode`). With `fill`, the end is padded further until the last
    window is full, as EnCodec does: T' = ceil((T + left + right - span) / stride) + 1 with span = (kernel - 1) * dilation + 1. Without,
    steps that fill no window are dropped, as torch does. A signal too short to be reflected is first followed by zeros, which are cut
    off again after the padding (EnCodec's `pad1d`).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        left: int = 0,
        right: int = 0,
        mode: str = "zeros",
        fill: bool = False,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"padding {mode!r}; choose from {', '.join(MODES)}")
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride=stride, dilation=dilation, groups=groups, bias=bias)
        self.span, self.stride, self.left, self.right, self.mode, self.fill = (kernel - 1) * dilation + 1, stride, left, right, mode, fill
        self.lookahead = max(0, self.span - stride - left)
        self.pace = Fraction(stride)
        # What the end can be reflected from: its padding, what fills the last window, and the step about which it is reflected.
        self.kept = right + (stride if fill else 0) + 1

    def initial_state(self, batch: int, like: Tensor) -> State:
        begun = self.mode == "zeros" or not self.left
        buffer = like.new_zeros(batch, self.conv.in_channels, self.left if begun else 0)
        return buffer, like.new_zeros(batch, self.conv.in_channels, 0), 0, begun

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        buffer, recent, count, begun = state
        buffer = torch.cat([buffer, x], dim=-1)
        recent = torch.cat([recent, x[..., max(0, x.shape[-1] - self.kept) :]], dim=-1)
        count += x.shape[-1]
        if not begun and count and (final or count > (self.left if self.mode == "reflect" else 0)):
            buffer, begun = self._begin(buffer), True
        if final and count:
            buffer = self._end(buffer, recent, count)
        ready = max(0, (buffer.shape[-1] - self.span) // self.stride + 1) if begun else 0
        recent = recent[..., max(0, recent.shape[-1] - self.kept) :]
        if not ready:
            return x.new_zeros(x.shape[0], self.conv.out_channels, 0), (buffer, recent, count, begun)
        y = self.conv(buffer[..., : (ready - 1) * self.stride + self.span])
        return y, (buffer[..., ready * self.stride :], recent, count, begun)

    def _begin(self, buffer: Tensor) -> Tensor:
        """The first steps with their padding before them."""
        if self.mode == "replicate":
            return torch.cat([buffer[..., :1].expand(-1, -1, self.left), buffer], dim=-1)
        missing = max(0, self.left + 1 - buffer.shape[-1])
        mirrored = nn.functional.pad(buffer, (0, missing))[..., 1 : self.left + 1].flip(-1)
        return torch.cat([mirrored, buffer], dim=-1)

    def _end(self, buffer: Tensor, recent: Tensor, count: int) -> Tensor:
        """The last steps with their padding after them."""
        right = self.right
        if self.fill:
            over = count + self.left + self.right - self.span
            right += -over % self.stride if over >= 0 else -over
        if not right:
            return buffer
        if self.mode == "zeros":
            return nn.functional.pad(buffer, (0, right))
        if self.mode == "replicate":
            return torch.cat([buffer, recent[..., -1:].expand(-1, -1, right)], dim=-1)
        # Of a signal too short for either end, EnCodec reflects the zeros behind it, and cuts off as many steps as it had added.
        added = max(0, max(self.left, right) + 1 - count)
        whole = nn.functional.pad(recent, (0, added))
        mirrored = whole[..., whole.shape[-1] - 1 - right : whole.shape[-1] - 1].flip(-1)
        following = torch.cat([whole[..., recent.shape[-1] :], mirrored], dim=-1)
        return torch.cat([buffer, following[..., :right]], dim=-1)


class PaddedConvTranspose1d(Streaming):
    """Up-sampling convolution: (batch, in_channels, T) -> (batch, out_channels, (T - 1) * stride + kernel - left - right).

    `left` and `right` steps of the result are cut off; torch's `padding=p, output_padding=q` are left p and right p - q. Neither may
    be more than kernel - stride. `lookahead` is in output steps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        groups: int = 1,
        left: int = 0,
        right: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if not (0 <= left <= kernel - stride and right <= kernel - stride):
            raise ValueError(f"cannot cut {left} and {right} steps off windows of {kernel} every {stride}")
        self.conv = nn.ConvTranspose1d(in_channels, out_channels, kernel, stride=stride, groups=groups, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.kernel, self.stride, self.left, self.right = kernel, stride, left, right
        self.lookahead = left
        self.pace = Fraction(1, stride)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return like.new_zeros(batch, self.conv.out_channels, 0), self.left

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        tail, drop = state
        if x.shape[-1]:
            spread = self.conv(x)
            held = tail.shape[-1]
            summed = torch.cat([spread[..., :held] + tail, spread[..., held:]], dim=-1) if held else spread
            done = x.shape[-1] * self.stride
        else:
            summed, done = tail, 0
        if final:
            # A negative `right` (output padding) is steps that no input reaches: the bias alone.
            summed = nn.functional.pad(summed, (0, -self.right)) if summed.shape[-1] else summed
            done = summed.shape[-1]
        dropped = min(drop, done)
        y = summed[..., dropped:done]
        if self.bias is not None:
            y = y + self.bias[:, None]
        return y, (summed[..., done:], drop - dropped)
