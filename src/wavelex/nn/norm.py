"""Normalisation over channels."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelRMSNorm(nn.Module):
    """Each step divided by the root mean square of its channels, times a learned gain: (batch, dim, T) -> the same.

    Zhang and Sennrich, "Root mean square layer normalization" (arXiv 1910.07467).
    """

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(dim, eps)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(x.transpose(1, 2))
        return found.transpose(1, 2)


class ChannelLayerNorm(nn.Module):
    """Layer norm over the channels of each step: (batch, dim, T) -> the same."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.norm(x.transpose(1, 2))
        return found.transpose(1, 2)
