"""Distances between decoded and original samples themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WaveformDistance(nn.Module):
    """L1 between samples (SoundStream, EnCodec eq. 1)."""

    def forward(self, decoded: Tensor, original: Tensor) -> Tensor:
        """Both (batch, 1, T)."""
        return (decoded - original).abs().mean()


class SiSdrLoss(nn.Module):
    """Minus the scale-invariant ratio of signal to distortion in dB (Le Roux et al. 2019), both without their means."""

    def forward(self, decoded: Tensor, original: Tensor) -> Tensor:
        """Both (batch, 1, T); averaged over the batch."""
        ours, theirs = (x - x.mean(-1, keepdim=True) for x in (decoded, original))
        gain = ((ours * theirs).sum(-1) + 1e-8) / (theirs.square().sum(-1) + 1e-8)
        target = gain[..., None] * theirs
        # Both kept off zero, so that digital silence has a finite gradient.
        ratio = (target.square().sum(-1) + 1e-8) / ((ours - target).square().sum(-1) + 1e-8)
        return (-10 * torch.log10(ratio + 1e-8)).mean()
