"""Banks of mel filters as published code has them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCALES = ("htk", "slaney")


def mel_bank(sample_rate: int, n_fft: int, bands: int, scale: str = "htk", lowest: float = 0.0, highest: float | None = None) -> Tensor:
    """Triangles that meet at points evenly spaced in mel from `lowest` to `highest` Hz: (bands, n_fft // 2 + 1).

    `htk` has the scale 2595 log10(1 + f / 700) and a peak of one (Vocos); `slaney` is linear up to 1 kHz and logarithmic above, each
    filter of unit area in Hz (librosa, DAC). Raises ValueError for another scale.
    """
    if scale not in SCALES:
        raise ValueError(f"mel scale {scale!r}; choose from {', '.join(SCALES)}")
    # On the CPU even where a model is built without memory: its values are needed.
    with torch.device("cpu"):
        limits = torch.tensor([lowest, sample_rate / 2 if highest is None else highest], dtype=torch.float64)
        low, high = _to_mel(limits, scale).tolist()
        points = _to_hertz(torch.linspace(low, high, bands + 2, dtype=torch.float64), scale)
        hertz = torch.fft.rfftfreq(n_fft, 1 / sample_rate, dtype=torch.float64)
        widths = points.diff()
        rising = (hertz - points[:-2, None]) / widths[:-1, None]
        falling = (points[2:, None] - hertz) / widths[1:, None]
        bank = torch.minimum(rising, falling).clamp(min=0)
        if scale == "slaney":
            bank = bank * (2 / (points[2:] - points[:-2]))[:, None]
    return bank.float()


_LINEAR = 200 / 3
"""Hz a mel below 1 kHz on Slaney's scale; above, 27 mels are a factor of 6.4."""


def _to_mel(hertz: Tensor, scale: str) -> Tensor:
    if scale == "htk":
        return 2595 * torch.log10(1 + hertz / 700)
    return torch.where(hertz < 1000, hertz / _LINEAR, 15 + torch.log(hertz.clamp(min=1000) / 1000) * 27 / math.log(6.4))


def _to_hertz(mel: Tensor, scale: str) -> Tensor:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    return torch.where(mel < 15, mel * _LINEAR, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))
