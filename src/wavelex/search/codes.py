"""Which search an effort means for a codec with or without a neural prior."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.bitstream.coding import LANE_FRAMES
from wavelex.bitstream.priors.base import Prior
from wavelex.bitstream.priors.neural import NeuralPrior
from wavelex.quantizers.base import Quantizer
from wavelex.search.effort import Effort
from wavelex.search.thrift import ThriftySearch
from wavelex.search.varied import encode_varied
from wavelex.sessions import CodeSearch


class NearestSearch:
    """The nearest codes that beams of some widths find, each frame by itself."""

    def __init__(self, quantizer: Quantizer, codebooks: int, beams: Sequence[int]) -> None:
        self.codebooks = codebooks
        self._quantizer, self._beams = quantizer, tuple(beams)

    def begin(self) -> None:
        """There is no past to forget."""

    def choose(self, latents: Tensor, counts: Tensor | None = None) -> Tensor:
        """See `ThriftySearch.choose`."""
        if counts is None:
            return self._quantizer.encode(latents, self.codebooks, self._beams)
        rows = zip(latents.split(1), counts, strict=True)  # type: ignore[no-untyped-call]
        return torch.cat([encode_varied(self._quantizer, row, count, self.codebooks, self._beams) for row, count in rows])


def make_search(quantizer: Quantizer, prior: Prior | None, codebooks: int, effort: Effort, block_frames: int = LANE_FRAMES) -> CodeSearch:
    """`prior` is what the codes will be coded with, in blocks of so many frames."""
    if effort.thrifty and isinstance(prior, NeuralPrior):
        return ThriftySearch(quantizer, prior, codebooks, effort.thrifty, min(block_frames, LANE_FRAMES))
    return NearestSearch(quantizer, codebooks, effort.beams)
