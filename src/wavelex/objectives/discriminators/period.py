"""Discriminators of every second, third, ... sample, which hear the periods of a voice (HiFi-GAN, arXiv 2010.05646, section 2.3)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.objectives.discriminators.base import Judge, no_rows, normed, scaled


class PeriodDiscriminators(nn.Module):
    """One discriminator a period p: samples (batch, 1, T) folded to (batch, 1, T / p, p), convolved along time only.

    The end is padded by reflection to a whole number of periods; `whole` adds a period even where none is cut (DAC).
    `last_kernel` is that of the layer that gives the logits. Of so many `conditions`, each clip is judged under one.
    """

    def __init__(
        self,
        periods: Sequence[int] = (2, 3, 5, 7, 11),
        channels: Sequence[int] = (32, 128, 512, 1024, 1024),
        last_kernel: int = 3,
        whole: bool = False,
        first_map: bool = False,
        logits_map: bool = True,
        width: float = 1.0,
        conditions: int = 0,
    ) -> None:
        super().__init__()
        self.periods, self.whole = tuple(periods), whole
        counts = [1, *scaled(channels, width)]
        self.members = nn.ModuleList(
            Judge(
                [
                    normed(nn.Conv2d(before, after, (5, 1), (3 if index < len(channels) - 1 else 1, 1), padding=(2, 0)))
                    for index, (before, after) in enumerate(itertools.pairwise(counts))
                ],
                normed(nn.Conv2d(counts[-1], 1, (last_kernel, 1), padding=(last_kernel // 2, 0))),
                0.1,
                first_map,
                logits_map,
                no_rows(conditions, counts[-1]),
            )
            for _ in self.periods
        )

    def forward(self, samples: Tensor, *row: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Samples, and the condition's number (batch,) where there are any, to (logits (batch, 1, steps, p), feature maps) by period."""
        judged = []
        for period, member in zip(self.periods, self.members, strict=True):
            short = period - samples.shape[-1] % period
            padded = nn.functional.pad(samples, (0, short if self.whole or short < period else 0), mode="reflect")
            judged.append(member(padded.view(*padded.shape[:2], -1, period), *row))
        return judged
