"""What a token prior is: whole-numbered frequencies of each code, given what is decoded before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np


class PriorSession(Protocol):
    """Lanes decoded side by side: all of them frame by frame, and within a frame codebook by codebook."""

    def frequencies(self, book: int, lanes: np.ndarray) -> np.ndarray:
        """(n, size) for the code of `book` in each of `lanes` (n,), which sum to TOTAL."""

    def decoded(self, book: int, lanes: np.ndarray, codes: np.ndarray) -> None:
        """What those codes (n,) turned out to be."""

    def next_frame(self) -> None:
        """All codes of the frame are known."""

    def heard(self, codes: np.ndarray) -> None:
        """The next frames of all lanes at once, (lanes, codebooks, n), -1 where there is no code."""


class Prior(Protocol):
    """Frequencies from the codes alone, with no rounding that a machine could do differently."""

    @property
    def kind(self) -> str:
        """`context` or `neural`."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Codes of each codebook that it knows, coarse first."""

    def whole(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """For codes (codebooks, lanes, frames), -1 where there is none: (lanes, frames, size) for each codebook in turn."""

    def session(self, lanes: int, codebooks: int) -> PriorSession:
        """What `whole` gives, while it is being decoded."""
