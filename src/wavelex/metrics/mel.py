"""Multi-scale mel distance as DAC trains with it (Kumar et al. 2023, section 3.4): seven windows, log magnitudes, L1."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair

BANDS = {32: 5, 64: 10, 128: 20, 256: 40, 512: 80, 1024: 160, 2048: 320}
"""Mel bands by window; the hop is a quarter of the window."""
FLOOR = 1e-5


def mel_distance(original: np.ndarray, decoded: np.ndarray) -> float:
    """Sum over windows of the mean absolute difference of log10 mel magnitudes of two (T,) at 16 kHz; 0 for a copy.

    Raises WavelexError for a clip shorter than the longest window.
    """
    if len(original) < max(BANDS):
        raise WavelexError(f"the mel distance cannot score this clip: it is shorter than {max(BANDS)} samples")
    return sum(float((_log_mel(original, w) - _log_mel(decoded, w)).abs().mean()) for w in BANDS)


def _log_mel(samples: np.ndarray, window: int) -> torch.Tensor:
    shape = torch.hann_window(window)
    spectrum = torch.stft(torch.from_numpy(samples), window, window // 4, window, shape, return_complex=True).abs()
    return (_filters(window) @ spectrum).clamp(min=FLOOR).log10()


@cache
def _filters(window: int) -> torch.Tensor:
    from librosa.filters import mel

    return torch.from_numpy(mel(sr=SAMPLE_RATE, n_fft=window, n_mels=BANDS[window], fmin=0.0, fmax=SAMPLE_RATE / 2))


def _measure(pair: Pair) -> dict[str, float]:
    return {"mel": mel_distance(pair.original, pair.decoded)}


METRIC = Metric(
    "mel",
    (Column("mel", "mel dist.", -1, 3),),
    ("torch", "librosa"),
    "windows 32 to 2048, 5 to 320 Slaney mels up to 8 kHz, log10 of magnitudes floored at 1e-5, summed over windows",
    _measure,
    SAMPLE_RATE,
)
