"""The residual blocks of HiFi-GAN, with its activations or those of BigVGAN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from wavelex.nn.combine import Each, Same, Sum
from wavelex.nn.dilated import Activation, same_conv
from wavelex.nn.streaming import Chain, Streaming


def leaky(channels: int) -> Streaming:
    """HiFi-GAN's activation before convolutions."""
    return Each(nn.LeakyReLU(0.1))


def residual_block(channels: int, kernel: int, dilations: Sequence[int], activation: Activation = leaky) -> Chain:
    """Residual units one after another, each of a dilated and a plain convolution: (batch, channels, T) -> the same.

    Kong et al., "HiFi-GAN" (arXiv 2010.05646), section 2.2, figure 1.
    """
    return Chain(
        *(
            Sum(
                Same(),
                Chain(
                    activation(channels),
                    same_conv(channels, channels, kernel, dilation),
                    activation(channels),
                    same_conv(channels, channels, kernel),
                ),
            )
            for dilation in dilations
        )
    )
