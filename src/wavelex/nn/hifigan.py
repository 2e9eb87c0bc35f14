"""The residual blocks of HiFi-GAN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from wavelex.nn.combine import Each, Same, Sum
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.streaming import Chain

SLOPE = 0.1
"""Of the leaky rectifiers before convolutions."""


def centred(in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> PaddedConv1d:
    """A convolution with zeros at both ends, (batch, in_channels, T) -> (batch, out_channels, T); the kernel is odd."""
    side = (kernel - 1) * dilation // 2
    return PaddedConv1d(in_channels, out_channels, kernel, dilation=dilation, left=side, right=side)


def residual_block(channels: int, kernel: int, dilations: Sequence[int]) -> Chain:
    """Residual units one after another, each of a dilated and a plain convolution: (batch, channels, T) -> the same.

    Kong et al., "HiFi-GAN" (arXiv 2010.05646), section 2.2, figure 1.
    """
    return Chain(
        *(
            Sum(
                Same(),
                Chain(
                    Each(nn.LeakyReLU(SLOPE)),
                    centred(channels, channels, kernel, dilation),
                    Each(nn.LeakyReLU(SLOPE)),
                    centred(channels, channels, kernel),
                ),
            )
            for dilation in dilations
        )
    )
