"""Frames replaced by noise in training, so that a decoder learns to do without any one of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FrameNoise(nn.Module):
    """Each frame, with a chance of `share`, becomes Gaussian noise of a standard `deviation`: (batch, dim, T) -> the same.

    Song et al., "MagiCodec" (arXiv 2506.00385), section 3.2: in the mean over the noise it multiplies the spectrum of what the decoder
    computes by (1 - share) + share * exp(-deviation^2 * frequency^2 / 2), which favours latents that vary slowly. Only in training mode
    with gradients on.
    """

    def __init__(self, share: float, deviation: float) -> None:
        super().__init__()
        if not (0 <= share <= 1 and deviation >= 0):
            raise ValueError(f"a share of {share} frames and a deviation of {deviation} cannot be")
        self.share, self.deviation = share, deviation

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled()) or not self.share:
            return x
        replaced = torch.rand(len(x), 1, x.shape[2], device=x.device) < self.share
        return torch.where(replaced, torch.randn_like(x) * self.deviation, x)
