"""Adversarial and feature-matching losses over a list of (logits, feature maps), one entry a discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

Judged = list[tuple[Tensor, list[Tensor]]]


def discriminator_loss(real: Judged, fake: Judged) -> Tensor:
    """Hinge loss of the discriminators, averaged over them (Lim and Ye 2017; SoundStream eq. 3)."""
    return torch.stack(
        [(1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean() for (r, _), (f, _) in zip(real, fake, strict=True)]
    ).mean()


def generator_loss(fake: Judged) -> Tensor:
    """Hinge loss of the generator, averaged over the discriminators (SoundStream eq. 4)."""
    return torch.stack([(1 - logits).clamp(min=0).mean() for logits, _ in fake]).mean()


def feature_matching_loss(real: Judged, fake: Judged) -> Tensor:
    """L1 between feature maps, relative to the size of the real ones (EnCodec, arXiv 2210.13438, eq. 2)."""
    distances = [
        (f - r.detach()).abs().mean() / r.detach().abs().mean().clamp(min=1e-4)
        for (_, reals), (_, fakes) in zip(real, fake, strict=True)
        for r, f in zip(reals, fakes, strict=True)
    ]
    return torch.stack(distances).mean()
