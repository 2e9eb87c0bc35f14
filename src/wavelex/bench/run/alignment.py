"""Removing the one constant delay that a codec adds before its output is compared."""

from __future__ import annotations

import numpy as np

LONGEST = 2000
"""Samples; 125 ms at 16 kHz covers the codecs of interest."""
TRUSTED = 0.3
"""Correlation below which the waveform says nothing, as for parametric codecs that do not keep the phase."""
ENVELOPE_HOP = 80
REVISION = 2
"""Raised when the delay found for the same pair changes, so that stored figures are measured anew."""


def without_delay(original: np.ndarray, decoded: np.ndarray, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """Both (T,) cut to where they overlap once `decoded` is moved `delay` samples earlier."""
    reference, heard = (original, decoded[delay:]) if delay >= 0 else (original[-delay:], decoded)
    count = min(len(reference), len(heard))
    return np.ascontiguousarray(reference[:count]), np.ascontiguousarray(heard[:count])


def find_delay(original: np.ndarray, decoded: np.ndarray) -> tuple[int, float]:
    """Samples by which `decoded` lags and how far the waveforms agree there, 0 to 1.

    The delay is where the waveforms agree best or, where they hardly do, where their log energies do.
    """
    if min(len(original), len(decoded)) < 2 * ENVELOPE_HOP or not original.any() or not decoded.any():
        return 0, 0.0
    lags, correlation = _correlation(original - original.mean(), decoded - decoded.mean(), LONGEST)
    best = int(np.argmax(correlation))
    if correlation[best] >= TRUSTED:
        return int(lags[best]), float(correlation[best])
    coarse_lags, coarse = _correlation(_log_energy(original), _log_energy(decoded), LONGEST // ENVELOPE_HOP)
    around = int(coarse_lags[np.argmax(coarse)]) * ENVELOPE_HOP
    near = np.flatnonzero(np.abs(lags - around) <= ENVELOPE_HOP)
    refined = near[np.argmax(np.abs(correlation[near]))]
    agreement = abs(float(correlation[refined]))
    return (int(lags[refined]) if agreement > TRUSTED / 2 else around), agreement


def _correlation(a: np.ndarray, b: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    # Room for the lags on both sides, so that none wraps around.
    size = 1 << (len(a) + len(b) + 2 * longest).bit_length()
    product = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    lags = np.arange(-longest, longest + 1)
    return lags, product[lags] / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9)


def _log_energy(x: np.ndarray) -> np.ndarray:
    frames = x[: len(x) // ENVELOPE_HOP * ENVELOPE_HOP].reshape(-1, ENVELOPE_HOP)
    level = np.log10(np.square(frames).mean(axis=1) + 1e-6)
    centred: np.ndarray = level - level.mean()
    return centred
