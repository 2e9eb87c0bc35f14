"""STOI (Taal et al. 2011) and ESTOI (Jensen and Taal 2016) through the `pystoi` package."""

from __future__ import annotations

import warnings

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair


def stoi(original: np.ndarray, decoded: np.ndarray, extended: bool = False) -> float:
    """Intelligibility of `decoded` (T,) against `original` (T,), both 16 kHz.

    Raises WavelexError where too little of the clip is speech, for which the package would answer 1e-5.
    """
    from pystoi import stoi as score

    if not original.any():
        raise WavelexError("STOI cannot score this clip: the original is silent")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        # The extended measure adds a trace of noise from numpy's global generator; the same clip has to score the same.
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        try:
            return float(score(original, decoded, SAMPLE_RATE, extended=extended))
        except (RuntimeWarning, ValueError) as error:
            raise WavelexError("STOI cannot score this clip: less than 0.4 s of it is speech") from error
        finally:
            np.random.set_state(state)  # noqa: NPY002


def _measure(pair: Pair) -> dict[str, float]:
    return {"stoi": stoi(pair.original, pair.decoded), "estoi": stoi(pair.original, pair.decoded, extended=True)}


METRIC = Metric(
    "stoi",
    (Column("stoi", "STOI", 1, 3), Column("estoi", "ESTOI", 1, 3)),
    ("pystoi",),
    "10 kHz inside, segments of 0.4 s; silent frames (40 dB down) left out",
    _measure,
    SAMPLE_RATE,
)
