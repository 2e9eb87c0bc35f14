"""A ConvNeXt block with both halves normalised before and scaled after, as VibeVoice's tokenizers have it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.combine import Each, Same, Sum
from wavelex.nn.convnext import Pointwise
from wavelex.nn.norm import ChannelRMSNorm
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.streaming import Chain


class MixerBlock(Chain):
    """A causal depthwise convolution, then a two-layer perceptron `expansion` times as wide: (batch, dim, T) -> the same.

    Each is given normalised channels and added with a learned scale. Peng et al., "VibeVoice" (arXiv 2508.19205), and its released code.
    """

    def __init__(self, dim: int, kernel: int = 7, expansion: int = 4, scale: float = 1e-6, eps: float = 1e-5) -> None:
        hidden = expansion * dim
        mixed = Chain(
            Each(ChannelRMSNorm(dim, eps)), PaddedConv1d(dim, dim, kernel, groups=dim, left=kernel - 1), Each(ChannelScale(dim, scale))
        )
        changed = Chain(
            Each(ChannelRMSNorm(dim, eps)), Pointwise(dim, hidden), Each(nn.GELU()), Pointwise(hidden, dim), Each(ChannelScale(dim, scale))
        )
        super().__init__(Sum(Same(), mixed), Sum(Same(), changed))


class ChannelScale(nn.Module):
    """A learned factor for each channel, `start` at first: (batch, dim, T) -> the same."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((dim, 1), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale
