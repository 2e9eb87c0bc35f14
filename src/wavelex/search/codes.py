"""Which search an effort means for a codec with or without a neural prior."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from wavelex.codec.streams import CodeSearch
from wavelex.quantizers.base import Quantizer
from wavelex.search.allocation import encode_with
from wavelex.search.effort import Effort
from wavelex.search.rate_distortion import ThriftySearch
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.neural import NeuralPrior


class NearestSearch:
    """The nearest codes that beams of some widths find, each frame by itself."""

    def __init__(self, quantizer: Quantizer, codebooks: int, beams: Sequence[int]) -> None:
        self.codebooks = codebooks
        self._quantizer, self._beams = quantizer, tuple(beams)

    def begin(self) -> None:
        """There is no past to forget."""

    def choose(self, latents: Tensor, counts: Tensor | None = None) -> Tensor:
        """See `ThriftySearch.choose`."""
        return encode_with(self._quantizer, latents, counts, self.codebooks, self._beams)


def make_search(quantizer: Quantizer, prior: Prior | None, codebooks: int, effort: Effort, block_frames: int) -> CodeSearch:
    """`prior` is what the codes will be coded with, in blocks of so many frames."""
    if effort.thrifty and isinstance(prior, NeuralPrior):
        return ThriftySearch(quantizer, prior, codebooks, effort.thrifty, block_frames)
    return NearestSearch(quantizer, codebooks, effort.beams)
