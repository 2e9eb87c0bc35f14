"""A whole recording at an average bit rate or a quality: frames take as many codebooks as their content needs."""

from __future__ import annotations

import numpy as np
import torch

from wavelex.codec.streams import CodeSearch, LatentStream
from wavelex.encoders.base import Encoder
from wavelex.quantizers.base import Quantizer
from wavelex.search.allocation import CLOSE, allocate_bits, allocate_error, loudness_weights, prefix_errors
from wavelex.search.refine import Refiner
from wavelex.search.session import RefiningEncoder
from wavelex.search.target import Budget, Quality

CORRECTIONS = 2
"""Times that the allocation is made anew."""
AT_ONCE = 2000
"""Frames searched at a time; bounds the memory."""


class VariableEncoder:
    """With the interface of a streaming encoder, but all codes come from `flush`: the recording is weighed as a whole.

    Holds its latents, 50 MB an hour for 64 dimensions at 50 Hz, and its samples.
    """

    def __init__(
        self,
        encoder: Encoder,
        quantizer: Quantizer,
        search: CodeSearch,
        refiner: Refiner | None,
        goal: Budget | Quality,
        streams: int,
    ) -> None:
        """A `refiner` has the last word on codes, not on their number."""
        self.streams, self.codebooks = streams, search.codebooks
        self._encoder, self._quantizer, self._search, self._refiner = encoder, quantizer, search, refiner
        self._goal = goal
        self._stream = LatentStream(encoder, streams)
        self._samples: list[np.ndarray] = []
        self._latents: list[torch.Tensor] = []

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Samples (n,) or (streams, n), float or int16, at the codec's rate; no codes yet."""
        chunk, latents = self._stream.push(samples)
        self._samples.append(chunk)
        self._latents.append(latents)
        return np.zeros((self.streams, self.codebooks, 0), np.int64)

    @torch.no_grad()
    def flush(self) -> np.ndarray:
        """All codes (streams, codebooks, frames), -1 where a frame has fewer."""
        latents = torch.cat([*self._latents, self._stream.flush()], dim=2)
        chunks = self._samples
        samples = np.concatenate(chunks, axis=1) if chunks else np.zeros((self.streams, 0), np.float32)
        self._samples, self._latents = [], []
        frames = latents.shape[2]
        if not frames:
            return np.zeros((self.streams, self.codebooks, 0), np.int64)
        pieces = latents.split(AT_ONCE, dim=2)  # type: ignore[no-untyped-call]
        greedy = torch.cat([self._quantizer.encode(piece, self.codebooks) for piece in pieces], dim=2)
        weights = loudness_weights(torch.from_numpy(samples).to(latents.device), frames, self._encoder.hop_length)
        errors = prefix_errors(self._quantizer, latents, greedy) * weights[:, None]
        counts, codes = self._allocate(latents, greedy, errors)
        if self._refiner:
            session = RefiningEncoder(self._encoder, self._quantizer, self._refiner, self.streams, counts)
            return np.concatenate([*map(session.push, chunks), session.flush()], axis=2)
        return codes.cpu().numpy()

    def _allocate(self, latents: torch.Tensor, greedy: torch.Tensor, errors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Numbers of codebooks (streams, frames), and the codes."""
        goal = self._goal
        if isinstance(goal, Quality):
            counts = allocate_error(errors, goal.codebooks)
            return counts, self._choose(latents, counts)
        wanted = whole = goal.bits(self.streams * latents.shape[2])
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

    def _choose(self, latents: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        self._search.begin()
        pieces = zip(latents.split(AT_ONCE, dim=2), counts.split(AT_ONCE, dim=1), strict=True)  # type: ignore[no-untyped-call]
        return torch.cat([self._search.choose(*piece) for piece in pieces], dim=2)
