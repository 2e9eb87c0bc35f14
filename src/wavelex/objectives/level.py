"""Whether decoded sound is as strong as the original, band by band: what the other terms do not ask for."""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUIETEST = 1e-7
"""Power of a band, full scale being one, below which differences do not count: digital silence has no level."""


class LevelDistance(nn.Module):
    """L1 between log energies (nepers of power) in bands, over stretches of about a tenth of a second.

    Terms that compare single bins or frames are least for the median, which for the energy of noise lies 1.6 dB under the mean;
    sums over many bins and frames have to be right in the mean, whatever is random within them.
    """

    bank: Tensor

    def __init__(self, sample_rate: int, n_fft: int = 512, bands: int = 16, seconds: float = 0.1) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.frames = round(seconds * sample_rate / (n_fft // 4))
        hertz = torch.fft.rfftfreq(n_fft, 1 / sample_rate)
        # Evenly spaced below 1 kHz, then ever wider: 100 Hz to the Nyquist frequency on the scale of log(1 + f / 1 kHz).
        edges = torch.expm1(torch.linspace(0.0953, float(torch.log1p(torch.tensor(sample_rate / 2000))), bands + 1)) * 1000
        self.register_buffer("bank", ((hertz >= edges[:-1, None]) & (hertz < edges[1:, None])).float(), persistent=False)

    def forward(self, decoded: dict[int, Tensor], original: dict[int, Tensor]) -> Tensor:
        """Spectra as {n_fft: complex (batch, bins, frames)}; a stretch is shorter where the signal is."""
        ours, theirs = (self._log_energy(s[self.n_fft]) for s in (decoded, original))
        return (ours - theirs).abs().mean()

    def _log_energy(self, spectrum: Tensor) -> Tensor:
        power = torch.matmul(self.bank, spectrum.real.square() + spectrum.imag.square())
        span = min(self.frames, power.shape[-1])
        return (nn.functional.avg_pool1d(power, span, max(1, span // 2)) + QUIETEST).log()
