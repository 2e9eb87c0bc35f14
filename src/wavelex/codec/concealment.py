"""Concealment of lost frames: what the token prior expects of them, fading when too many are lost in a row."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wavelex.quantizers.base import Quantizer
from wavelex.tokens.entropy.blocks import LANE_FRAMES
from wavelex.tokens.entropy.priors.base import Prior, PriorSession
from wavelex.tokens.entropy.range_coder import TOTAL
from wavelex.tokens.entropy.threads import one_thread
from wavelex.tokens.tokens import LOST

KEPT_SECONDS, FADING_SECONDS = 0.16, 0.08
"""Of losses in a row at full level, and over how much more it falls to silence; chosen on held-out speech."""


class Concealer:
    """Latents of a running token stream, its lost frames filled in from those before.

    A lost frame is predicted codebook by codebook as masked tokens are: the likeliest code becomes the context of the next,
    and what sounds is the mean of all codes by their chances, which is nearer to the truth than any one of them. Where codes do not add
    up (`Quantizer.additive`), the likeliest ones sound.
    """

    def __init__(self, quantizer: Quantizer, prior: Prior, streams: int, frame_rate: float) -> None:
        books = len(quantizer.codebook_sizes)
        self._kept, self._fading = (max(1, round(seconds * frame_rate)) for seconds in (KEPT_SECONDS, FADING_SECONDS))
        self._quantizer, self._prior, self._streams, self._books = quantizer, prior, streams, books
        self._vectors: list[Tensor] = []
        self._session: PriorSession | None = None
        self._history = np.full((streams, books, 0), LOST, np.int64)
        self._run = np.zeros(streams, np.int64)
        self._gain = np.zeros(streams)

    def fill(self, codes: np.ndarray, hop_length: int) -> tuple[Tensor, np.ndarray]:
        """Codes (streams, codebooks, n) -> latents (streams, dim, n), and the gain of their samples (streams, n * hop_length)."""
        lost = codes[:, 0] == LOST
        latents = self._quantizer.decode(torch.from_numpy(codes).to(next(self._quantizer.buffers()).device))
        gains = np.ones((codes.shape[0], codes.shape[2], hop_length), np.float32)
        begin = 0
        for frame in np.flatnonzero(lost.any(axis=0)):
            # The past is only gone through when something is lost, so that streams without losses cost nothing.
            if frame > begin:
                self._received(codes[:, :, begin:frame])
            begin = frame + 1
            with one_thread():
                imagined = self._conceal(codes[:, :, frame], lost[:, frame], latents[:, :, frame])
            self._run = np.where(lost[:, frame], self._run + 1, 0)
            # A recording that begins with losses has nothing to go on from.
            known = (self._history[:, 0] != LOST).any(axis=1)
            level = np.where(known, np.clip(1 - (self._run - self._kept) / self._fading, 0, 1), 0.0)
            gains[:, frame] = np.where(lost[:, frame, None], np.linspace(self._gain, level, hop_length, axis=1), 1)
            self._gain = np.where(lost[:, frame], level, 1.0)
            self._remember(imagined[:, :, None])
        if begin < codes.shape[2]:
            self._received(codes[:, :, begin:])
        return latents, gains.reshape(codes.shape[0], -1)

    def _received(self, codes: np.ndarray) -> None:
        self._session = None
        self._run[:], self._gain[:] = 0, 1.0
        self._remember(codes)

    def _remember(self, codes: np.ndarray) -> None:
        missing = np.full((codes.shape[0], self._books - codes.shape[1], codes.shape[2]), LOST)
        self._history = np.concatenate([self._history, np.concatenate([codes, missing], axis=1)], axis=2)[:, :, -LANE_FRAMES:]

    def _conceal(self, codes: np.ndarray, lost: np.ndarray, latents: Tensor) -> np.ndarray:
        """The codes of a frame with the likeliest in the lost ones' place, whose `latents` (streams, dim) are filled in."""
        if self._session is None:
            self._session = self._prior.session(self._streams, self._books)
            self._session.heard(self._history)
        session = self._session
        found = np.full((self._streams, self._books), LOST)
        found[:, : codes.shape[1]] = codes
        for book in range(self._books):
            there = np.flatnonzero(found[:, book] != LOST)
            if len(there):
                session.decoded(book, there, found[there, book])
        counts = (self._history[:, :, -1:] != LOST).sum(axis=(1, 2))
        for stream in np.flatnonzero(lost):
            expected = torch.zeros_like(latents[stream])
            lane = np.array([stream])
            for book in range(int(counts[stream])):
                shares = session.frequencies(book, lane)[0] / TOTAL
                found[stream, book] = shares.argmax()
                session.decoded(book, lane, found[stream : stream + 1, book])
                if self._quantizer.additive:
                    expected = expected + torch.from_numpy(shares).to(expected) @ self._vectors_of(book)
            if not self._quantizer.additive:
                likeliest = torch.from_numpy(found[stream, : int(counts[stream])])
                expected = self._quantizer.decode(likeliest[None, :, None].to(latents.device))[0, :, 0] if len(likeliest) else expected
            latents[stream] = expected
        session.next_frame()
        return found

    def _vectors_of(self, book: int) -> Tensor:
        if not self._vectors:
            self._vectors = [self._quantizer.code_vectors(each) for each in range(self._books)]
        return self._vectors[book]
