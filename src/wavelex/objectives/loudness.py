"""A differentiable perceptual distance: difference of Bark-band loudness, added sound punished more than missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUIETEST = 1e-4
"""Power, full scale being one, below which a recording is not made as loud as the others."""


class LoudnessDistance(nn.Module):
    """Disturbance of Zwicker loudness patterns between (batch, T) decoded and original, from their spectra.

    The ideas of ITU-T P.862 (level alignment, Bark bands, Zwicker loudness, a dead zone of a quarter of the quieter
    pattern, an asymmetric term for added sound) in the differentiable form of Martin-Donas et al. 2018 ("A deep learning
    loss function based on the perceptual evaluation of the speech quality"), with hearing thresholds after Terhardt
    (1979) instead of the standard's tables. It is a training loss, not a measure to report.
    """

    bank: Tensor
    threshold: Tensor
    speech: Tensor

    def __init__(self, sample_rate: int, n_fft: int = 512, bands: int = 48, asymmetry: float = 0.3) -> None:
        super().__init__()
        self.n_fft, self.asymmetry = n_fft, asymmetry
        hertz = torch.fft.rfftfreq(n_fft, 1 / sample_rate)
        bark = _bark(hertz)
        # The lowest bands hold what the standard's input filter removes.
        edges = torch.linspace(float(_bark(torch.tensor(90.0))), float(_bark(torch.tensor(0.95 * sample_rate / 2))), bands + 1)
        centre, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
        bank = (1 - (bark[None] - centre[:, None]).abs() / width).clamp(min=0)
        # Below about 300 Hz a Bark band is narrower than a bin: it takes its nearest bin.
        empty = bank.sum(1) == 0
        bank[empty, (bark[None] - centre[empty, None]).abs().argmin(1)] = 1.0
        self.register_buffer("bank", bank, persistent=False)
        kilohertz = (hertz[None] * bank).sum(1) / bank.sum(1) / 1000
        threshold_db = 3.64 * kilohertz**-0.8 - 6.5 * torch.exp(-0.6 * (kilohertz - 3.3) ** 2) + 1e-3 * kilohertz**4
        self.register_buffer("threshold", 10 ** (threshold_db.clamp(max=60)[:, None] / 10), persistent=False)
        speech = (hertz > 300) & (hertz < 3300)
        self.register_buffer("speech", speech.float()[:, None], persistent=False)

    def forward(self, decoded: dict[int, Tensor], original: dict[int, Tensor]) -> Tensor:
        ours, theirs = (s[self.n_fft].real.square() + s[self.n_fft].imag.square() for s in (decoded, original))
        # One gain for both, from the original: 75 dB SPL is an everyday listening level. Recordings below -40 dB keep their distance
        # to it: a gain without bound would make the faintest sound in digital silence the loudest error of a batch.
        level = (theirs * self.speech).sum(1, keepdim=True).mean(2, keepdim=True)
        gain = 10**7.5 / level.clamp(min=QUIETEST)
        ours, theirs = torch.matmul(self.bank, ours * gain), torch.matmul(self.bank, theirs * gain)
        loud_ours, loud_theirs = self._loudness(ours), self._loudness(theirs)
        difference = loud_ours - loud_theirs
        dead_zone = 0.25 * torch.minimum(loud_ours, loud_theirs).detach()
        disturbance = (difference.abs() - dead_zone).clamp(min=0) + 0.1 * difference.abs()
        added = disturbance * (difference > 0)
        per_frame = (disturbance.square().mean(1) + 1e-6).sqrt() + self.asymmetry * added.mean(1)
        return per_frame.mean()

    def _loudness(self, power: Tensor) -> Tensor:
        return (self.threshold / 1e3) ** 0.23 * ((0.5 + 0.5 * power / self.threshold) ** 0.23 - 1)


def _bark(hertz: Tensor) -> Tensor:
    """Traunmüller 1990."""
    return 26.81 * hertz / (1960 + hertz) - 0.53
