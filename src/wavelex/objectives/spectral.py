"""Spectral distances between decoded and original samples, all (batch, samples) at one sample rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Spectra(nn.Module):
    """Hann STFTs of several window lengths with a hop of a quarter: (batch, T) -> {n_fft: complex (batch, bins, frames)}.

    Scaled by the window's sum, so that a full-scale sine has magnitude of order one at every length.
    """

    def __init__(self, windows: Sequence[int]) -> None:
        super().__init__()
        self.windows = tuple(windows)
        for n_fft in self.windows:
            self.register_buffer(f"taper_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def forward(self, samples: Tensor) -> dict[int, Tensor]:
        spectra = {}
        for n_fft in self.windows:
            taper = self.get_buffer(f"taper_{n_fft}")
            padded = nn.functional.pad(samples, (n_fft // 2, n_fft // 2))
            frames = padded.unfold(-1, n_fft, n_fft // 4) * (taper * (2 / taper.sum()))
            spectra[n_fft] = torch.fft.rfft(frames).transpose(1, 2)
        return spectra


class MelDistance(nn.Module):
    """L1 between log mel magnitudes, averaged over the windows (Kumar et al., DAC, arXiv 2306.06546, section 3.5)."""

    def __init__(self, sample_rate: int, mels: dict[int, int], floor: float = 1e-5) -> None:
        super().__init__()
        self.mels, self.floor = dict(mels), floor
        for n_fft, count in self.mels.items():
            self.register_buffer(f"bank_{n_fft}", mel_filters(sample_rate, n_fft, count), persistent=False)

    def forward(self, decoded: dict[int, Tensor], original: dict[int, Tensor]) -> Tensor:
        total = torch.zeros(())
        for n_fft in self.mels:
            bank = self.get_buffer(f"bank_{n_fft}")
            ours, theirs = (torch.matmul(bank, _magnitude(s[n_fft])).clamp(min=self.floor).log() for s in (decoded, original))
            total = total + (ours - theirs).abs().mean()
        return total / len(self.mels)


class LowBandComplexDistance(nn.Module):
    """Modulus of the difference of power-compressed complex spectra, weighted to the low band.

    Phase can be coded and is heard at low frequency only: weights fall as 1 / (1 + (f / corner)^4), so this term does
    not ask for silence where the phase cannot be predicted, which would fight the mel distance.
    """

    def __init__(self, sample_rate: int, windows: Sequence[int], corner: float = 2500.0, power: float = 0.4) -> None:
        super().__init__()
        self.windows, self.power = tuple(windows), power
        for n_fft in self.windows:
            hertz = torch.fft.rfftfreq(n_fft, 1 / sample_rate)
            weights = 1 / (1 + (hertz / corner) ** 4)
            self.register_buffer(f"weights_{n_fft}", (weights / weights.sum())[:, None], persistent=False)

    def forward(self, decoded: dict[int, Tensor], original: dict[int, Tensor]) -> Tensor:
        total = torch.zeros(())
        for n_fft in self.windows:
            difference = self._compressed(decoded[n_fft]) - self._compressed(original[n_fft])
            modulus = (difference.square().sum(0) + 1e-8).sqrt()
            total = total + (modulus * self.get_buffer(f"weights_{n_fft}")).sum(1).mean()
        return total / len(self.windows)

    def _compressed(self, spectrum: Tensor) -> Tensor:
        parts = torch.stack([spectrum.real, spectrum.imag])
        return parts * (parts.square().sum(0) + 1e-8) ** ((self.power - 1) / 2)


def _magnitude(spectrum: Tensor) -> Tensor:
    return (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt()


def mel_filters(sample_rate: int, n_fft: int, count: int) -> Tensor:
    """Triangles spaced evenly in mel (HTK scale), each of unit sum: (count, n_fft // 2 + 1).

    A triangle narrower than a bin is widened to one, so that no filter is empty.
    """
    top = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700.0, dtype=torch.float64))
    edges = 700 * (10 ** (torch.linspace(0, float(top), count + 2, dtype=torch.float64) / 2595) - 1)
    hertz = torch.fft.rfftfreq(n_fft, 1 / sample_rate, dtype=torch.float64)
    bin_width = sample_rate / n_fft
    centre = edges[1:-1, None]
    below = (centre - edges[:-2, None]).clamp(min=bin_width)
    above = (edges[2:, None] - centre).clamp(min=bin_width)
    offset = hertz[None] - centre
    triangles = (1 - torch.where(offset < 0, -offset / below, offset / above)).clamp(min=0)
    return (triangles / triangles.sum(1, keepdim=True)).float()
