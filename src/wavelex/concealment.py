"""Concealment of lost frames: what the token prior expects of them, fading when too many are lost in a row."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wavelex.bitstream.priors.base import Prior
from wavelex.bitstream.range_coder import TOTAL
from wavelex.quantizers.base import Quantizer
from wavelex.tokens import LOST

KEPT, FADING = 8, 4
"""Lost frames in a row at full level, and over how many more it falls to silence; chosen on held-out speech."""


class Concealer:
    """Latents of a running token stream, its lost frames filled in from those before.

    A lost frame is predicted codebook by codebook as masked tokens are: the likeliest code becomes the context of the next,
    and what sounds is the mean of all codes by their chances, which is nearer to the truth than any one of them.
    """

    def __init__(self, quantizer: Quantizer, prior: Prior, streams: int) -> None:
        books = len(quantizer.codebook_sizes)
        self._quantizer, self._books = quantizer, books
        self._vectors = [_vectors(quantizer, book) for book in range(books)]
        self._session = prior.session(streams, books)
        self._counts = np.zeros(streams, np.int64)
        self._run = np.zeros(streams, np.int64)
        self._gain = np.zeros(streams)

    def fill(self, codes: np.ndarray, hop_length: int) -> tuple[Tensor, np.ndarray]:
        """Codes (streams, codebooks, n) -> latents (streams, dim, n), and the gain of their samples (streams, n * hop_length)."""
        latents = self._quantizer.decode(torch.from_numpy(codes).to(self._vectors[0].device))
        gains = np.ones((codes.shape[0], codes.shape[2], hop_length), np.float32)
        for frame in range(codes.shape[2]):
            lost = codes[:, 0, frame] == LOST
            self._run = np.where(lost, self._run + 1, 0)
            self._counts = np.where(lost, self._counts, (codes[:, :, frame] != LOST).sum(axis=1))
            self._hear(codes[:, :, frame])
            for stream in np.flatnonzero(lost):
                latents[stream, :, frame] = self._imagine(int(stream))
            self._session.next_frame()
            level = np.where(self._counts > 0, np.clip(1 - (self._run - KEPT) / FADING, 0, 1), 0.0)
            # A recording that begins with losses has nothing to go on from.
            gains[:, frame] = np.linspace(self._gain, level, hop_length, axis=1) if lost.any() else level[:, None]
            gains[~lost, frame] = 1
            self._gain = np.where(lost, level, 1.0)
        return latents, gains.reshape(codes.shape[0], -1)

    def _hear(self, codes: np.ndarray) -> None:
        for book in range(codes.shape[1]):
            there = np.flatnonzero(codes[:, book] != LOST)
            if len(there):
                self._session.decoded(book, there, codes[there, book])

    def _imagine(self, stream: int) -> Tensor:
        expected = torch.zeros_like(self._vectors[0][0])
        lane = np.array([stream])
        for book in range(int(self._counts[stream])):
            shares = self._session.frequencies(book, lane)[0] / TOTAL
            expected = expected + torch.from_numpy(shares).to(expected) @ self._vectors[book]
            self._session.decoded(book, lane, np.array([shares.argmax()]))
        return expected


def _vectors(quantizer: Quantizer, book: int) -> Tensor:
    """What each code of a codebook adds to the latents: (size, dim)."""
    size = quantizer.codebook_sizes[book]
    codes = torch.full((1, book + 1, size), LOST)
    codes[0, book] = torch.arange(size)
    vectors: Tensor = quantizer.decode(codes.to(next(quantizer.buffers()).device))[0].T
    return vectors
