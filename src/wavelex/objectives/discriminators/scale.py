"""Discriminators of the samples as they are and averaged over ever more of them (MelGAN, arXiv 1910.06711; HiFi-GAN, 2010.05646)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.objectives.discriminators.base import Judge, normed

LAYERS = (
    (128, 15, 1, 1),
    (128, 41, 2, 4),
    (256, 41, 2, 16),
    (512, 41, 4, 16),
    (1024, 41, 4, 16),
    (1024, 41, 1, 16),
    (1024, 5, 1, 1),
)


class ScaleDiscriminators(nn.Module):
    """HiFi-GAN's: each further discriminator hears the samples averaged in fours at half the rate.

    `layers` are (channels, kernel, stride, groups); with `width`, channels stay multiples of the groups beside them. The first
    discriminator's weights have spectral norm where `spectral` says so, all others weight norm.
    """

    def __init__(
        self,
        scales: int = 3,
        layers: Sequence[Sequence[int]] = LAYERS,
        spectral: bool = True,
        first_map: bool = True,
        logits_map: bool = True,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if scales < 1:
            raise ValueError(f"{scales} scales; there is at least one")
        self.pool = nn.AvgPool1d(4, 2, padding=2)
        groups = [layer[3] for layer in layers] + [1]
        steps = [math.lcm(ours, following) for ours, following in itertools.pairwise(groups)]
        counts = [1, *(step * max(1, round(layer[0] * width / step)) for layer, step in zip(layers, steps, strict=True))]

        def member(index: int) -> Judge:
            norm = nn.utils.parametrizations.spectral_norm if spectral and index == 0 else normed
            convolutions = [
                norm(nn.Conv1d(before, after, kernel, stride, kernel // 2, groups=group))
                for before, after, (_, kernel, stride, group) in zip(counts, counts[1:], layers, strict=False)
            ]
            return Judge(convolutions, norm(nn.Conv1d(counts[-1], 1, 3, padding=1)), 0.1, first_map, logits_map)

        self.members = nn.ModuleList(map(member, range(scales)))

    def forward(self, samples: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Samples (batch, 1, T) to (logits (batch, 1, steps), feature maps) by scale."""
        judged = []
        for index, member in enumerate(self.members):
            samples = self.pool(samples) if index else samples
            judged.append(member(samples))
        return judged
