"""Discriminators as an objective: what they think of the codec's samples, and of how they see them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from wavelex.objectives.adversarial import Judged, discriminator_loss, feature_matching_loss, generator_loss
from wavelex.objectives.base import Batch, Made, Objective
from wavelex.objectives.discriminators import SpectrumDiscriminators
from wavelex.objectives.terms import Common


class SpectrumAdversary(Objective):
    """Frame-rate discriminators of spectra (see `SpectrumDiscriminators`): hinge loss and feature matching.

    They are shown the original's bins below `above` Hz in place of the decoded ones: no adversarial gradient reaches the band
    in which the waveform itself is coded, and what is judged is whether the band above belongs to it.
    """

    terms = ("adversarial", "features")

    def __init__(self, common: Common, windows: Sequence[int] = (256, 512, 1024), width: int = 160, above: float = 0.0) -> None:
        super().__init__()
        self.windows, self.spectra, self.half_networks = tuple(windows), common.spectra, common.bfloat16
        common.spectra.declare(self.windows)
        self.sample_rate, self.above = common.sample_rate, above
        self.discriminators = SpectrumDiscriminators(self.windows, width)

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """See `Objective`."""
        real, fake = self._judge(self.spectra(batch.samples, self.windows)), self._judge(self._shown(made, batch))
        return {"adversarial": generator_loss(fake), "features": feature_matching_loss(real, fake)}

    def critics(self) -> list[nn.Module]:
        """See `Objective`."""
        return [self.discriminators]

    def criticize(self, made: Made, batch: Batch) -> Tensor:
        """See `Objective`."""
        ours = {window: spectrum.detach() for window, spectrum in self._shown(made, batch).items()}
        return discriminator_loss(self._judge(self.spectra(batch.samples, self.windows)), self._judge(ours))

    def _shown(self, made: Made, batch: Batch) -> dict[int, Tensor]:
        """The decoded spectra, the original's below `above`."""
        ours: dict[int, Tensor] = self.spectra(made.samples, self.windows)
        theirs: dict[int, Tensor] = self.spectra(batch.samples, self.windows)
        if not self.above:
            return ours
        first = {window: math.ceil(self.above * window / self.sample_rate) for window in self.windows}
        return {window: torch.cat([theirs[window][:, :n], ours[window][:, n:]], dim=1) for window, n in first.items()}

    def _judge(self, spectra: dict[int, Tensor]) -> Judged:
        with torch.autocast(next(iter(spectra.values())).device.type, torch.bfloat16, enabled=self.half_networks):
            judged = self.discriminators(spectra)
        return [(logits.float(), [f.float() for f in features]) for logits, features in judged]
