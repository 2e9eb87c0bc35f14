"""PESQ (ITU-T P.862.2 wideband) through the `pesq` package."""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError

SAMPLE_RATE = 16_000


def pesq_wideband(original: np.ndarray, decoded: np.ndarray) -> float:
    """MOS-LQO of `decoded` (T,) against `original` (T,), both 16 kHz.

    Raises WavelexError where the standard finds no utterance in the clip or the clip is too short to score.
    """
    from pesq import PesqError, pesq

    if not original.any() or not decoded.any():
        raise WavelexError("PESQ cannot score this clip: it is silent")
    try:
        return float(pesq(SAMPLE_RATE, original, decoded, "wb"))
    except (PesqError, ValueError, ZeroDivisionError) as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise WavelexError(f"PESQ cannot score this clip: {reason}") from error
