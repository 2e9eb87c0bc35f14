"""The level of a stretch of signal in decibels, as one more channel of latents."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = -96.0
"""Decibels below full scale that level 0 stands for: the rounding of 16-bit samples."""
TINY = 1e-8
"""Keeps the quotient finite where there is silence; part of EnCodec's formula."""


def scale_of(samples: Tensor) -> Tensor:
    """Root mean square of the mean of the channels: (batch, channels, T) -> (batch, 1, 1) (EnCodec, arXiv 2210.13438, section 3.2)."""
    return samples.mean(dim=1, keepdim=True).square().mean(dim=2, keepdim=True).sqrt() + TINY


def level_of(scale: Tensor) -> Tensor:
    """Decibels above the floor, 0 for what is below it."""
    return (20 * torch.log10(scale) - FLOOR).clamp(min=0)


def scale_at(level: Tensor) -> Tensor:
    """The inverse of `level_of`; nothing at level 0, which is also that of a frame whose code was lost."""
    return torch.where(level > 0, 10 ** ((level + FLOOR) / 20), 0.0)
