"""STOI (Taal et al. 2011) through the `pystoi` package."""

from __future__ import annotations

import warnings

import numpy as np

from wavelex.errors import WavelexError

SAMPLE_RATE = 16_000


def stoi(original: np.ndarray, decoded: np.ndarray) -> float:
    """Intelligibility of `decoded` (T,) against `original` (T,), both 16 kHz.

    Raises WavelexError where too little of the clip is speech, for which the package would answer 1e-5.
    """
    from pystoi import stoi as score

    if not original.any():
        raise WavelexError("STOI cannot score this clip: the original is silent")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(score(original, decoded, SAMPLE_RATE, extended=False))
        except (RuntimeWarning, ValueError) as error:
            raise WavelexError("STOI cannot score this clip: less than 0.4 s of it is speech") from error
