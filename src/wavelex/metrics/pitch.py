"""Pitch: are the same frames voiced, and how far is F0 off, in cents."""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair
from wavelex.metrics.world import analyze


def pitch(original: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    """F1 of the voiced frames, and the RMS error of F0 in cents over the frames voiced in both (absent when none are).

    Raises WavelexError when the original has no voiced frame.
    """
    reference, heard = analyze(original).f0, analyze(decoded).f0
    voiced, voiced_too = reference > 0, heard > 0
    if not voiced.any():
        raise WavelexError("pitch cannot be scored in this clip: none of it is voiced")
    both = voiced & voiced_too
    found = {"voicing_f1": float(2 * both.sum() / (voiced.sum() + voiced_too.sum()))}
    if both.any():
        cents = 1200 * np.log2(heard[both] / reference[both])
        found["f0_cents"] = float(np.sqrt(np.square(cents).mean()))
    return found


def _measure(pair: Pair) -> dict[str, float]:
    return pitch(pair.original, pair.decoded)


METRIC = Metric(
    "pitch",
    (Column("voicing_f1", "V/UV F1", 1, 3), Column("f0_cents", "F0 cents", -1, 0)),
    ("pyworld",),
    "DIO and StoneMask, 60 to 500 Hz, every 5 ms; root mean square over frames voiced in both",
    _measure,
    SAMPLE_RATE,
)
