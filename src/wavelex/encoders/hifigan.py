"""HiFi-Codec's encoder: the generator of HiFi-GAN mirrored, with group normalisation between its residual blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.encoders.base import Encoder
from wavelex.nn.combine import Each
from wavelex.nn.dilated import same_conv
from wavelex.nn.hifigan import leaky, residual_block
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.streaming import Chain, State, Streaming
from wavelex.nn.whole import Whole


class HiFiGANEncoder(Encoder):
    """Samples (batch, 1, T) to latents (batch, dim, ceil(T / hop_length)), where the hop is the product of the `rates`.

    Yang et al., "HiFi-Codec" (arXiv 2305.02765), section 3.1, and its released code. `rates`, `kernels` and `units` are those of the
    decoder (see `HiFiGANDecoder`), used from the last to the first; each strided convolution doubles the `width`. Normalisation is over
    all of time, in groups of `norm_channels` channels, so the whole signal is needed. Its last frame is filled up with silence.
    """

    pads = True
    streams = False

    def __init__(
        self,
        dim: int = 512,
        width: int = 32,
        rates: Sequence[int] = (8, 5, 4, 2),
        kernels: Sequence[int] = (16, 11, 8, 4),
        units: Sequence[tuple[int, Sequence[int]]] = ((3, (1, 3, 5)), (7, (1, 3, 5)), (11, (1, 3, 5))),
        norm_channels: int = 16,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length = dim, math.prod(rates)
        layers: list[Streaming] = [same_conv(1, width, 7)]
        for rate, kernel in reversed(list(zip(rates, kernels, strict=True))):
            side = (kernel - rate) // 2
            layers += [
                leaky(width),
                PaddedConv1d(width, 2 * width, kernel, rate, left=side, right=kernel - rate - side),
                Whole(NormalisedBlocks(2 * width, units[::-1], norm_channels), 2 * width),
            ]
            width *= 2
        layers += [Each(nn.LeakyReLU()), same_conv(width, dim, 3)]
        self.network = Chain(*layers)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.network.initial_state(batch, like.to(self.network.dtype)), 0

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        network_state, count = state
        count += x.shape[-1]
        if final:
            x = nn.functional.pad(x, (0, -count % self.hop_length))
        latents, network_state = self.network.step(x.to(self.network.dtype), network_state, final)
        return latents, (network_state, count)


class NormalisedBlocks(nn.Module):
    """The mean of residual blocks, normalised after each is added to those before it: (batch, channels, T) -> the same."""

    def __init__(self, channels: int, units: Sequence[tuple[int, Sequence[int]]], norm_channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(residual_block(channels, kernel, dilations) for kernel, dilations in units)
        self.norms = nn.ModuleList(nn.GroupNorm(channels // norm_channels, channels, eps=1e-6) for _ in units)

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for block, norm in zip(self.blocks, self.norms, strict=True):
            total = norm(total + block(x))
        return total / len(self.blocks)
