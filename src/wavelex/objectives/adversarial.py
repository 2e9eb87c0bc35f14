"""Adversarial and feature-matching losses over a list of (logits, feature maps), one entry a discriminator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Judged = list[tuple[Tensor, list[Tensor]]]
LOSSES = ("hinge", "least_squares")


def discriminator_loss(real: Judged, fake: Judged, loss: str = "hinge", average: bool = True) -> Tensor:
    """What discriminators minimise, averaged over them or summed.

    `hinge` (Lim and Ye 2017; SoundStream eq. 3), or `least_squares` (Mao et al. 2017; HiFi-GAN eq. 1).
    """
    if loss == "hinge":
        each = [(1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean() for (r, _), (f, _) in zip(real, fake, strict=True)]
    else:
        each = [(1 - r).square().mean() + f.square().mean() for (r, _), (f, _) in zip(real, fake, strict=True)]
    return _over(each, average)


def generator_loss(fake: Judged, loss: str = "hinge", average: bool = True) -> Tensor:
    """What the codec minimises of the same (SoundStream eq. 4; HiFi-GAN eq. 2)."""
    if loss == "hinge":
        return _over([(1 - logits).clamp(min=0).mean() for logits, _ in fake], average)
    return _over([(1 - logits).square().mean() for logits, _ in fake], average)


def feature_matching_loss(real: Judged, fake: Judged, normalize: bool = True, average: bool = True) -> Tensor:
    """L1 between feature maps.

    `normalize` puts each in relation to the size of the real one and averages them (EnCodec, arXiv 2210.13438, eq. 2); otherwise
    those of a discriminator are added as they are (HiFi-GAN eq. 4).
    """
    if not normalize:
        sums = [
            torch.stack([(f - r.detach()).abs().mean() for r, f in zip(reals, fakes, strict=True)]).sum()
            for (_, reals), (_, fakes) in zip(real, fake, strict=True)
        ]
        return _over(sums, average)
    distances = [
        (f - r.detach()).abs().mean() / r.detach().abs().mean().clamp(min=1e-4)
        for (_, reals), (_, fakes) in zip(real, fake, strict=True)
        for r, f in zip(reals, fakes, strict=True)
    ]
    mean = torch.stack(distances).mean()
    return mean if average else mean * len(real)


def _over(discriminators: Sequence[Tensor], average: bool) -> Tensor:
    stacked = torch.stack(list(discriminators))
    return stacked.mean() if average else stacked.sum()
