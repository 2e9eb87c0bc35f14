"""PESQ (ITU-T P.862.1 narrowband, P.862.2 wideband) through the `pesq` package."""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair

LONGEST_SECONDS = 20


def pesq(original: np.ndarray, decoded: np.ndarray, band: str = "wb") -> float:
    """MOS-LQO of `decoded` (T,) against `original` (T,), both 16 kHz; the mean over equal pieces of up to 20 s.

    `band` is "wb" or "nb". In pieces because the standard is meant for clips of 8 to 30 s and its reference code fails on
    more than 50 utterances; pieces in which the original has no utterance do not count. Raises WavelexError where no piece has one,
    the decoded clip is silent in one that has, or the clip is too short to score.
    """
    count = -(-len(original) // (LONGEST_SECONDS * SAMPLE_RATE)) or 1
    scores, refusals = [], []
    for piece, heard in zip(np.array_split(original, count), np.array_split(decoded, count), strict=True):
        try:
            scores.append(_score(piece, heard, band))
        except WavelexError as error:
            if _has_speech(piece, band):
                raise
            refusals.append(error)
    if not scores:
        raise refusals[0]
    return float(np.mean(scores))


def _has_speech(piece: np.ndarray, band: str) -> bool:
    try:
        _score(piece, piece, band)
    except WavelexError:
        return False
    return True


def _score(original: np.ndarray, decoded: np.ndarray, band: str) -> float:
    from pesq import PesqError
    from pesq import pesq as score

    if not original.any() or not decoded.any():
        raise WavelexError("PESQ cannot score this clip: it is silent")
    try:
        return float(score(SAMPLE_RATE, original, decoded, band))
    except (PesqError, ValueError, ZeroDivisionError) as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise WavelexError(f"PESQ cannot score this clip: {reason}") from error


def _measure(pair: Pair) -> dict[str, float]:
    return {"pesq_wb": pesq(pair.original, pair.decoded), "pesq_nb": pesq(pair.original, pair.decoded, "nb")}


METRIC = Metric(
    "pesq",
    (Column("pesq_wb", "PESQ-WB", 1, 3), Column("pesq_nb", "PESQ-NB", 1, 3)),
    ("pesq",),
    "P.862.2 and P.862.1 MOS-LQO at 16 kHz; clips over 20 s are the mean of equal pieces",
    _measure,
    SAMPLE_RATE,
)
