"""Residual convolutions and attention over a whole utterance, which WavTokenizer puts before the blocks of a Vocos decoder."""

from __future__ import annotations

from torch import Tensor, nn

GROUPS = 32
"""Of the group norms; the number of channels must be a multiple of it."""
EPS = 1e-6
DROPOUT = 0.1


class ResNetBlock(nn.Module):
    """Twice group norm, swish and a convolution over three frames, as a residual unit: (batch, dim, T) -> the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(GROUPS, dim, EPS),
            nn.SiLU(),
            nn.Conv1d(dim, dim, 3, padding=1),
            nn.GroupNorm(GROUPS, dim, EPS),
            nn.SiLU(),
            nn.Dropout(DROPOUT),
            nn.Conv1d(dim, dim, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.layers(x)
        return x + added


class UtteranceAttention(nn.Module):
    """Attention of every frame to all frames with one head and without positions, as a residual unit: (batch, dim, T) -> the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, dim, EPS)
        self.queries, self.keys, self.values, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        frames = self.norm(x).transpose(1, 2)
        found = nn.functional.scaled_dot_product_attention(self.queries(frames), self.keys(frames), self.values(frames))
        added: Tensor = self.out(found)
        return x + added.transpose(1, 2)


class AttentionBlock(nn.Sequential):
    """Two residual units, attention, two residual units and a group norm: (batch, dim, T) -> the same.

    Ji et al., "WavTokenizer" (arXiv 2408.16532), section 3.3. Group norms and attention are over the whole utterance, so what it makes of
    a frame depends on all of it.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(
            ResNetBlock(dim), ResNetBlock(dim), UtteranceAttention(dim), ResNetBlock(dim), ResNetBlock(dim), nn.GroupNorm(GROUPS, dim, EPS)
        )
