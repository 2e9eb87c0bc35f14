"""How often a clip is coded with 1, 2, ... codebooks (quantizer dropout), for a codec with any number of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def prefix_chances(odds: Sequence[float], codebooks: int) -> np.ndarray:
    """Chances (codebooks,) of each number of codebooks, which sum to one.

    For a codec with another number of codebooks than there are `odds`, the odds are stretched or squeezed to it: the same chance falls
    on each share of the codebooks, so that the last of many is drawn, and all of the one that a codec may have.
    """
    given = np.asarray(odds, float)
    up_to = np.concatenate([[0.0], np.cumsum(given / given.sum())])
    if codebooks == len(given):
        chances = given
    else:
        chances = np.diff(np.interp(np.linspace(0, 1, codebooks + 1), np.linspace(0, 1, len(up_to)), up_to))
    found: np.ndarray = chances / chances.sum()
    return found
