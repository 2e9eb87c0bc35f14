"""The layers that SEANet encoders and decoders are made of."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from wavelex.nn.combine import Each, Same, Sum
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.streaming import Chain, Streaming
from wavelex.nn.whole import Whole


@dataclass(frozen=True)
class SEANetLayers:
    """What all layers of a SEANet have in common. Défossez et al., "EnCodec" (arXiv 2210.13438), section 3.1 and its released code."""

    causal: bool = True
    """Whether all padding is on the left; otherwise it is on both sides, the odd step on the left."""
    padding: str = "reflect"
    """`zeros`, `reflect` or `replicate`. Transposed convolutions have none: what reaches over the ends is cut off."""
    norm: bool = False
    """Whether each convolution is followed by group normalisation over all channels and all of time, so that nothing comes before the
    end of the signal. EnCodec has it at 48 kHz (`time_group_norm`)."""

    def conv(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> Streaming:
        """(batch, in_channels, T) -> (batch, out_channels, ceil(T / stride))."""
        total = (kernel - 1) * dilation + 1 - stride
        right = 0 if self.causal else total // 2
        conv = PaddedConv1d(
            in_channels, out_channels, kernel, stride, dilation, left=total - right, right=right, mode=self.padding, fill=True
        )
        return Chain(conv, Whole(nn.GroupNorm(1, out_channels), out_channels)) if self.norm else conv

    def up(self, in_channels: int, out_channels: int, stride: int) -> Streaming:
        """(batch, in_channels, T) -> (batch, out_channels, T * stride), with a kernel of twice the stride."""
        right = stride if self.causal else stride // 2
        left = stride - right
        if not self.norm:
            return PaddedConvTranspose1d(in_channels, out_channels, 2 * stride, stride, left=left, right=right)
        # What is cut off counts for the normalisation.
        conv = PaddedConvTranspose1d(in_channels, out_channels, 2 * stride, stride)
        return Chain(conv, Whole(nn.Sequential(nn.GroupNorm(1, out_channels), Cut(left, right)), out_channels))

    def residual(self, channels: int, kernel: int, dilation: int, compress: int, shortcut: bool) -> Streaming:
        """A residual unit over channels / compress, (batch, channels, T) -> the same; its input is added as it is, or through a map of
        its channels (`shortcut`)."""
        inner = channels // compress
        block = Chain(
            Each(nn.ELU()),
            self.conv(channels, inner, kernel, dilation=dilation),
            Each(nn.ELU()),
            self.conv(inner, channels, 1),
        )
        return Sum(self.conv(channels, channels, 1) if shortcut else Same(), block)


class Cut(nn.Module):
    """All but the first `left` and the last `right` steps."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x: Tensor) -> Tensor:
        return x[..., self.left : x.shape[-1] - self.right]
