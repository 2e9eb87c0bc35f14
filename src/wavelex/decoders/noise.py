"""Noise for the part of a spectrum whose phase cannot be predicted: drawn once, the same for the same seed and frame."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.nn.precision import FullPrecision

PERIOD = 1024
"""Spectra after which the noise repeats: ten seconds at 100 spectra a second, longer than the ear remembers noise."""


class BandNoise(FullPrecision):
    """Adds white noise to spectra, in an amount told for each of `bands` equal bands, with triangular slopes between them.

    The noise is the STFT of a signal (taper and hop of the synthesis), not a random number a bin: neighbouring frames agree
    about it, so overlap-add loses none of its energy and its envelope keeps the fluctuation of natural noise.
    """

    table: Tensor
    slopes: Tensor

    def __init__(self, bands: int, n_fft: int, hop: int) -> None:
        super().__init__()
        self.bands = bands
        samples = torch.randn(PERIOD * hop, generator=torch.Generator("cpu").manual_seed(0), device="cpu")
        taper = torch.hann_window(n_fft, device="cpu")
        # As a ring, so that the repetition has no seam. Unit variance of each of the real and imaginary parts.
        ring = torch.cat([samples, samples[: n_fft - hop]]).unfold(-1, n_fft, hop) * (taper * (2 / taper.square().sum()).sqrt())
        self.register_buffer("table", torch.view_as_real(torch.fft.rfft(ring)).permute(2, 1, 0).contiguous(), persistent=False)
        bins = torch.linspace(0, bands - 1, n_fft // 2 + 1, device="cpu")
        slopes = (1 - (bins[:, None] - torch.arange(bands, device="cpu")).abs()).clamp(min=0)
        self.register_buffer("slopes", slopes, persistent=False)

    def place(self, seed: int | None) -> int:
        """Where in the ring a stream with this seed begins; None for anywhere."""
        return int(torch.randint(PERIOD, ())) if seed is None else seed * 619 % PERIOD

    def forward(self, amounts: Tensor, place: int) -> tuple[Tensor, Tensor]:
        """Amounts (batch, bands, T) before their softplus, to noise (2, batch, bins, T) and its expected power (batch, bins, T)."""
        deviation = torch.matmul(self.slopes, torch.nn.functional.softplus(amounts))
        indices = torch.arange(place, place + amounts.shape[-1], device=self.table.device) % PERIOD
        noise = self.table[:, None, :, indices]
        return noise * deviation, 2 * deviation.square()
