"""Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019)."""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair

CEILING = 100.0
"""dB given to a perfect copy."""


def si_sdr(original: np.ndarray, decoded: np.ndarray) -> float:
    """dB of the part of `decoded` (T,) that is a scaled `original` (T,) over the rest; both without their means.

    Raises WavelexError for a silent clip.
    """
    reference = original.astype(np.float64) - original.mean(dtype=np.float64)
    heard = decoded.astype(np.float64) - decoded.mean(dtype=np.float64)
    if not reference.any() or not heard.any():
        raise WavelexError("SI-SDR cannot score this clip: it is silent")
    kept = (heard @ reference) / (reference @ reference) * reference
    rest = heard - kept
    signal, noise = float(kept @ kept), float(rest @ rest)
    if noise <= signal * 10 ** (-CEILING / 10):
        return CEILING
    return float(10 * np.log10(max(signal, noise * 10 ** (-CEILING / 10)) / noise))


def _measure(pair: Pair) -> dict[str, float]:
    return {"si_sdr": si_sdr(pair.original, pair.decoded)}


METRIC = Metric(
    "si_sdr",
    (Column("si_sdr", "SI-SDR dB", 1, 2),),
    ("numpy",),
    f"means removed, limited to +-{CEILING:.0f} dB; low for every codec that does not keep the waveform",
    _measure,
    SAMPLE_RATE,
)
