"""A whole recording at an average bit rate or a quality: frames take as many codebooks as their content needs."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantizer
from wavelex.search.allocation import CLOSE, allocate_bits, allocate_error, loudness_weights, prefix_errors
from wavelex.search.base import FrameSearch, no_codes
from wavelex.search.refine import Refiner, RefineSearch
from wavelex.search.target import Budget, Quality

CORRECTIONS = 2
"""Times that the allocation is made anew."""
AT_ONCE = 2000
"""Frames searched at a time; bounds the memory."""


class VariableRateSearch:
    """All codes come from `flush`: the recording is weighed as a whole. See `CodeSearch`.

    Holds its latents, 50 MB an hour for 64 dimensions at 50 Hz, and its samples.
    """

    def __init__(
        self,
        quantizer: Quantizer,
        search: FrameSearch,
        refiner: Refiner | None,
        goal: Budget | Quality,
        hop_length: int,
        frame_rate: float,
    ) -> None:
        """A `refiner` has the last word on codes, not on their number."""
        self.codebooks = search.codebooks
        self._quantizer, self._search, self._refiner, self._goal = quantizer, search, refiner, goal
        self._hop, self._frame_rate = hop_length, frame_rate
        self.begin()

    def begin(self) -> None:
        """Forget the signal so far."""
        self._latents: list[Tensor] = []
        self._samples: list[Tensor] = []

    def push(self, latents: Tensor, samples: Tensor) -> Tensor:
        """See `CodeSearch`; no codes yet."""
        self._latents.append(latents)
        self._samples.append(samples)
        return no_codes(len(latents), self.codebooks)

    @torch.no_grad()
    def flush(self) -> Tensor:
        """All codes (streams, codebooks, frames), -1 where a frame has fewer."""
        latents, samples = torch.cat(self._latents, dim=2), torch.cat(self._samples, dim=1)
        self.begin()
        frames = latents.shape[2]
        if not frames:
            return no_codes(len(latents), self.codebooks)
        pieces = latents.split(AT_ONCE, dim=2)  # type: ignore[no-untyped-call]
        greedy = torch.cat([self._quantizer.encode(piece, self.codebooks) for piece in pieces], dim=2)
        errors = prefix_errors(self._quantizer, latents, greedy) * loudness_weights(samples, frames, self._hop)[:, None]
        counts, codes = self._allocate(latents, greedy, errors)
        if self._refiner:
            refining = RefineSearch(self._refiner, self._frame_rate, counts)
            return torch.cat([refining.push(latents, samples), refining.flush()], dim=2)
        return codes

    def _allocate(self, latents: Tensor, greedy: Tensor, errors: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of codebooks (streams, frames), and the codes."""
        goal = self._goal
        if isinstance(goal, Quality):
            counts = allocate_error(errors, goal.codebooks)
            return counts, self._choose(latents, counts)
        wanted = whole = goal.bits(len(latents) * latents.shape[2])
        counts = allocate_bits(errors, greedy, wanted, goal.measure)
        codes = self._choose(latents, counts)
        # The codes chosen take other room than the greedy ones that were measured for the allocation.
        for _ in range(CORRECTIONS):
            taken = goal.measure(codes.cpu().numpy())
            if abs(taken - whole) <= CLOSE * whole:
                break
            wanted *= whole / taken
            last, counts = counts, allocate_bits(errors, greedy, wanted, goal.measure)
            if torch.equal(last, counts):
                break
            codes = self._choose(latents, counts)
        return counts, codes

    def _choose(self, latents: Tensor, counts: Tensor) -> Tensor:
        self._search.begin()
        pieces = zip(latents.split(AT_ONCE, dim=2), counts.split(AT_ONCE, dim=1), strict=True)  # type: ignore[no-untyped-call]
        return torch.cat([self._search.choose(*piece) for piece in pieces], dim=2)
