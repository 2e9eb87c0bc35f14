"""What an encoding of varying size aims at: an average rate, or a quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wavelex.errors import WavelexError
from wavelex.tokens.entropy.blocks import BlockCoder
from wavelex.tokens.format.sizes import coded_bits


@dataclass(frozen=True)
class Quality:
    """As little error as so many codebooks in every frame leave, 3.5 being between 3 and 4, at fewer bits; at most that of all codebooks.

    Raises WavelexError for less than one codebook.
    """

    codebooks: float

    def __post_init__(self) -> None:
        if not self.codebooks >= 1:
            raise WavelexError(f"a quality of {self.codebooks:g}: give the codebooks it is to be as good as, 1 or more")

    def __str__(self) -> str:
        return f"q{self.codebooks:g}"


Target = float | Quality
"""Average bits a second of one stream, as files are written, or a quality."""


@dataclass(frozen=True)
class Budget:
    """An average of bits a second for one stream, coded in blocks of so many frames. Raises WavelexError for one that is not above 0."""

    rate: float
    frame_rate: float
    coder: BlockCoder
    block_frames: int

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise WavelexError(f"{self.rate:g} bit/s cannot be reached; give more than 0")

    def bits(self, frames: int) -> float:
        """What so many frames may have."""
        return self.rate * frames / self.frame_rate

    def measure(self, codes: np.ndarray) -> float:
        """The bits that codes (streams, codebooks, frames) take; without a header, for which a short recording would have no room."""
        return coded_bits(codes, self.coder, self.block_frames)
