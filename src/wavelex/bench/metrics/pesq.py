"""PESQ (ITU-T P.862.2 wideband) through the `pesq` package."""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError

SAMPLE_RATE = 16_000
LONGEST_SECONDS = 20


def pesq_wideband(original: np.ndarray, decoded: np.ndarray) -> float:
    """MOS-LQO of `decoded` (T,) against `original` (T,), both 16 kHz; the mean over equal pieces of up to 20 s.

    In pieces because the standard is meant for clips of 8 to 30 s and its reference code fails on more than 50 utterances;
    pieces without an utterance do not count. Raises WavelexError where no piece has an utterance or the clip is too short
    to score.
    """
    count = -(-len(original) // (LONGEST_SECONDS * SAMPLE_RATE)) or 1
    scores, refusals = [], []
    for piece, heard in zip(np.array_split(original, count), np.array_split(decoded, count), strict=True):
        try:
            scores.append(_score(piece, heard))
        except WavelexError as error:
            refusals.append(error)
    if not scores:
        raise refusals[0]
    return float(np.mean(scores))


def _score(original: np.ndarray, decoded: np.ndarray) -> float:
    from pesq import PesqError, pesq

    if not original.any() or not decoded.any():
        raise WavelexError("PESQ cannot score this clip: it is silent")
    try:
        return float(pesq(SAMPLE_RATE, original, decoded, "wb"))
    except (PesqError, ValueError, ZeroDivisionError) as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise WavelexError(f"PESQ cannot score this clip: {reason}") from error
