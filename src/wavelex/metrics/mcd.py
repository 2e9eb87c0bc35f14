"""Mel-cepstral distortion (Kubichek 1993) between WORLD envelopes, frame by frame without time warping."""

from __future__ import annotations

from functools import cache

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair
from wavelex.metrics.world import analyze

ORDER = 24
WARP = 0.42
"""All-pass constant that bends the frequency axis to mels at 16 kHz (Tokuda et al. 1994)."""
CEPSTRUM = 128
"""Cepstral coefficients kept before the bend; a smooth envelope has nothing above."""
RANGE_DB = 50
"""Frames further below the loudest are silence and do not count."""


def mel_cepstral_distortion(original: np.ndarray, decoded: np.ndarray) -> float:
    """dB between coefficients 1 to 24 of two (T,) at 16 kHz, the mean over the original's audible frames.

    Raises WavelexError for a silent original.
    """
    if not original.any():
        raise WavelexError("mel-cepstral distortion cannot score this clip: the original is silent")
    envelope = analyze(original).envelope
    level = 10 * np.log10(np.maximum(envelope.mean(axis=1), 1e-12))
    audible = level > level.max() - RANGE_DB
    difference = _mel_cepstra(envelope)[audible] - _mel_cepstra(analyze(decoded).envelope)[audible]
    return float((10 / np.log(10) * np.sqrt(2 * np.square(difference[:, 1:]).sum(axis=1))).mean())


def _mel_cepstra(envelope: np.ndarray) -> np.ndarray:
    size = 2 * (envelope.shape[1] - 1)
    cepstra = np.fft.irfft(0.5 * np.log(envelope + 1e-12), size, axis=1)[:, :CEPSTRUM]
    cepstra[:, 1:] *= 2
    bent: np.ndarray = cepstra @ _bend()
    return bent


@cache
def _bend() -> np.ndarray:
    """(CEPSTRUM, ORDER + 1): each power of the unit delay written in powers of the all-pass (z^-1 - WARP) / (1 - WARP z^-1).

    A delay is (A + WARP) / (1 + WARP A) in the all-pass A; its powers' series in A give the rows.
    """
    delay = np.concatenate([[WARP], (1 - WARP**2) * (-WARP) ** np.arange(ORDER)])
    rows = np.zeros((CEPSTRUM, ORDER + 1))
    rows[0, 0] = 1
    for n in range(1, CEPSTRUM):
        rows[n] = np.convolve(rows[n - 1], delay)[: ORDER + 1]
    return rows


def _measure(pair: Pair) -> dict[str, float]:
    return {"mcd": mel_cepstral_distortion(pair.original, pair.decoded)}


METRIC = Metric(
    "mcd",
    (Column("mcd", "MCD dB", -1, 2),),
    ("pyworld",),
    "CheapTrick envelopes every 5 ms, 24 mel-cepstra (warp 0.42), no c0, frames within 50 dB of the loudest, no warping in time",
    _measure,
    SAMPLE_RATE,
)
