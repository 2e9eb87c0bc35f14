"""Residual units of dilated convolutions: the body of HiFi-GAN-like encoders and decoders such as DAC's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wavelex.nn.combine import Same, Sum
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.streaming import Chain, Streaming

Activation = Callable[[int], Streaming]
"""Makes an activation for so many channels."""
KERNEL = 7


def same_conv(in_channels: int, out_channels: int, kernel: int, dilation: int = 1, groups: int = 1) -> PaddedConv1d:
    """A convolution with an odd kernel and zeros around, which gives as many steps as it is given."""
    reach = (kernel - 1) * dilation // 2
    return PaddedConv1d(in_channels, out_channels, kernel, dilation=dilation, groups=groups, left=reach, right=reach)


def residual_units(channels: int, dilations: Sequence[int], activation: Activation, depthwise: bool = False) -> list[Streaming]:
    """A unit for each dilation: activation, dilated convolution (`depthwise`: each channel alone), activation, map of the channels."""
    return [
        Sum(
            Chain(
                activation(channels),
                same_conv(channels, channels, KERNEL, dilation, groups=channels if depthwise else 1),
                activation(channels),
                same_conv(channels, channels, 1),
            ),
            Same(),
        )
        for dilation in dilations
    ]
