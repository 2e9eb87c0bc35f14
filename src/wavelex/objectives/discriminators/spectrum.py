"""Discriminators that look at spectra at the frame rate: small enough to train beside a codec on one CPU core."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SpectrumDiscriminator(nn.Module):
    """Judges every frame of one STFT: complex (batch, bins, frames) -> (logits (batch, 1, frames), feature maps).

    One-dimensional convolutions over frames with all bins as channels. A 2-D discriminator (EnCodec's MS-STFTD) sees the
    same spectrum through shared filters and costs some thirty times the generator on a CPU.
    """

    def __init__(self, bins: int, width: int = 160, depth: int = 3, kernel: int = 5) -> None:
        super().__init__()
        self.embed = nn.utils.parametrizations.weight_norm(nn.Conv1d(3 * bins, width, 1))
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv1d(width, width, kernel, padding=kernel // 2)) for _ in range(depth)
        )
        self.judge = nn.utils.parametrizations.weight_norm(nn.Conv1d(width, 1, 3, padding=1))

    def forward(self, spectrum: Tensor) -> tuple[Tensor, list[Tensor]]:
        parts = torch.stack([spectrum.real, spectrum.imag])
        power = parts.square().sum(0) + 1e-10
        compressed = parts * power**-0.35
        x = self.embed(torch.cat([power.log() * 0.125 + 1.0, 2 * compressed[0], 2 * compressed[1]], dim=1))
        features = []
        for layer in self.layers:
            x = layer(nn.functional.leaky_relu(x, 0.1))
            features.append(x)
        return self.judge(nn.functional.leaky_relu(x, 0.1)), features


class SpectrumDiscriminators(nn.Module):
    """One discriminator a window length, over the spectra that the spectral losses already have."""

    def __init__(self, windows: Sequence[int], width: int = 160) -> None:
        super().__init__()
        self.windows = tuple(windows)
        self.members = nn.ModuleList(SpectrumDiscriminator(n_fft // 2 + 1, width) for n_fft in self.windows)

    def forward(self, spectra: dict[int, Tensor]) -> list[tuple[Tensor, list[Tensor]]]:
        return [member(spectra[n_fft]) for n_fft, member in zip(self.windows, self.members, strict=True)]
