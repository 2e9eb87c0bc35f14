"""Frame buzz: how far the envelope of decoded speech beats at a codec's frame rate, in dB over what lies beside it.

A decoder that treats every frame alike leaves a trace of its grid, heard as a metallic buzz. It stands out where speech has no lines
of its own: in the envelope of the high band.
"""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import FRAME_RATE, SAMPLE_RATE, Column, Metric, Pair

LOW, HIGH = 3000, 7500
"""Hz of the band whose envelope is taken."""
LINES = 4
"""Multiples of the frame rate that are looked at."""
NEAR, FROM, TO = 1, 4, 12
"""Hz around a line that are it, and from and to which its neighbours lie on both sides."""
SMOOTH_SECONDS = 0.05
"""The envelope is divided by itself smoothed over so long, so that loud and soft parts count alike."""
ACTIVE_DB = 40
"""Parts of the clip further below its loudest are silence and do not count."""
LOWEST = 10.0
"""Frames a second; lines closer than that have no room for neighbours."""


def frame_buzz(samples: np.ndarray, frame_rate: float = FRAME_RATE) -> float:
    """dB of the envelope's power at 1 to 4 times `frame_rate` over the median of its neighbours, the mean over lines.

    `samples` (T,) at 16 kHz. About 0 for speech that no codec has touched. Raises WavelexError for a clip that is silent or shorter than
    a second, and for fewer than 10 frames a second.
    """
    if frame_rate < LOWEST:
        raise WavelexError(f"frame buzz cannot be measured at {frame_rate:g} frames a second; {LOWEST:g} or more are needed")
    if len(samples) < SAMPLE_RATE:
        raise WavelexError("frame buzz cannot be measured in this clip: it is shorter than a second")
    if not samples.any():
        raise WavelexError("frame buzz cannot be measured in this clip: it is silent")
    power = _spectrum(_beats(samples.astype(np.float64)))
    to = min(TO, int(frame_rate / 2))
    excesses = []
    for multiple in range(1, LINES + 1):
        line = round(multiple * frame_rate)
        beside = np.concatenate([power[line - to : line - FROM + 1], power[line + FROM : line + to + 1]])
        at = power[line - NEAR : line + NEAR + 1].mean()
        excesses.append(10 * np.log10(max(at, 1e-30) / max(float(np.median(beside)), 1e-30)))
    return float(np.mean(excesses))


def _beats(samples: np.ndarray) -> np.ndarray:
    """The Hilbert envelope of the band over its own smoothed course, less one; 0 in silence."""
    spectrum, frequencies = np.fft.fft(samples), np.fft.fftfreq(len(samples), 1 / SAMPLE_RATE)
    envelope = np.abs(np.fft.ifft(np.where((frequencies >= LOW) & (frequencies <= HIGH), 2 * spectrum, 0)))
    window = np.hanning(round(SMOOTH_SECONDS * SAMPLE_RATE))
    window /= window.sum()
    course = np.convolve(envelope, window, "same")
    loudness = np.convolve(np.square(samples), window, "same")
    active = (loudness > loudness.max() * 10 ** (-ACTIVE_DB / 10)) & (course > 0)
    beats: np.ndarray = np.divide(envelope, course, out=np.ones_like(envelope), where=active) - 1
    return beats


def _spectrum(beats: np.ndarray) -> np.ndarray:
    """Power by Hz, the sum over windows of a second, half overlapping."""
    windows = np.lib.stride_tricks.sliding_window_view(beats, SAMPLE_RATE)[:: SAMPLE_RATE // 2]
    total = np.zeros(SAMPLE_RATE // 2 + 1)
    for window in windows:
        total += np.square(np.abs(np.fft.rfft((window - window.mean()) * np.hanning(SAMPLE_RATE))))
    return total


def _measure(pair: Pair) -> dict[str, float]:
    return {"buzz": frame_buzz(pair.decoded, pair.frame_rate)}


METRIC = Metric(
    "buzz",
    (Column("buzz", "buzz dB", -1, 2),),
    ("numpy",),
    f"envelope of {LOW} to {HIGH} Hz at 1 to {LINES} times the frame rate (the system's, or {FRAME_RATE:g} Hz), "
    f"+-{NEAR} Hz over the median at +-{FROM} to {TO} Hz; no reference",
    _measure,
    SAMPLE_RATE,
)
