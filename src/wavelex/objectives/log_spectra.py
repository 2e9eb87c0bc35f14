"""Distances between logarithms of spectra, as published vocoders and codecs minimise them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.nn.mel import mel_bank


class Magnitudes(nn.Module):
    """Hann STFT magnitudes, frames centred on multiples of the hop, ends reflected: (batch, 1, T) -> (batch, bins, frames)."""

    taper: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("taper", torch.hann_window(n_fft), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        return torch.stft(samples[:, 0], self.n_fft, self.hop, window=self.taper, return_complex=True).abs()


class LogMelDistance(nn.Module):
    """L1 between natural logarithms of mel magnitudes at one resolution (Vocos, arXiv 2306.00814, section 3.3)."""

    bank: Tensor

    def __init__(self, sample_rate: int, n_fft: int = 1024, hop: int = 256, bands: int = 100, floor: float = 1e-7) -> None:
        super().__init__()
        self.magnitudes, self.floor = Magnitudes(n_fft, hop), floor
        self.register_buffer("bank", mel_bank(sample_rate, n_fft, bands), persistent=False)

    def forward(self, decoded: Tensor, original: Tensor) -> Tensor:
        """Both (batch, 1, T)."""
        ours, theirs = (torch.matmul(self.bank, self.magnitudes(x)).clamp(min=self.floor).log() for x in (decoded, original))
        return (ours - theirs).abs().mean()


class MultiMelDistance(nn.Module):
    """L1 between decimal logarithms of mel magnitudes, added over several resolutions (DAC, arXiv 2306.06546, section 3.5).

    Windows have a hop of a quarter. `magnitude` is the weight of the L1 between the magnitudes themselves; `squared` compares the
    logarithms by their squares: both together are EnCodec's (arXiv 2210.13438, eq. 2), with 64 bands at each of its windows.
    """

    def __init__(
        self,
        sample_rate: int,
        windows: Sequence[int] = (32, 64, 128, 256, 512, 1024, 2048),
        bands: Sequence[int] = (5, 10, 20, 40, 80, 160, 320),
        scale: str = "slaney",
        floor: float = 1e-5,
        magnitude: float = 0.0,
        squared: bool = False,
    ) -> None:
        super().__init__()
        if len(windows) != len(bands):
            raise ValueError(f"{len(bands)} numbers of bands for {len(windows)} windows")
        self.floor, self.magnitude, self.squared = floor, magnitude, squared
        self.analyses = nn.ModuleList(Magnitudes(n_fft, n_fft // 4) for n_fft in windows)
        for index, (n_fft, count) in enumerate(zip(windows, bands, strict=True)):
            self.register_buffer(f"bank_{index}", mel_bank(sample_rate, n_fft, count, scale), persistent=False)

    def forward(self, decoded: Tensor, original: Tensor) -> Tensor:
        """Both (batch, 1, T)."""
        total = decoded.new_zeros(())
        for index, analysis in enumerate(self.analyses):
            bank = self.get_buffer(f"bank_{index}")
            ours, theirs = (torch.matmul(bank, analysis(x)) for x in (decoded, original))
            difference = ours.clamp(min=self.floor).log10() - theirs.clamp(min=self.floor).log10()
            total = total + (difference.square() if self.squared else difference.abs()).mean()
            if self.magnitude:
                total = total + self.magnitude * (ours - theirs).abs().mean()
        return total


class StftDistance(nn.Module):
    """L1 between STFT magnitudes and between decimal logarithms of their squares, added over resolutions (DAC's, after DDSP)."""

    def __init__(self, windows: Sequence[int] = (2048, 512), floor: float = 1e-5) -> None:
        super().__init__()
        self.floor = floor
        self.analyses = nn.ModuleList(Magnitudes(n_fft, n_fft // 4) for n_fft in windows)

    def forward(self, decoded: Tensor, original: Tensor) -> Tensor:
        """Both (batch, 1, T)."""
        total = decoded.new_zeros(())
        for analysis in self.analyses:
            ours, theirs = analysis(decoded), analysis(original)
            logarithms = 2 * (ours.clamp(min=self.floor).log10() - theirs.clamp(min=self.floor).log10())
            total = total + logarithms.abs().mean() + (ours - theirs).abs().mean()
        return total
