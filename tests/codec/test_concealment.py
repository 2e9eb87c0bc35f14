"""Lost frames: what is heard instead, that received frames are untouched, and that streams, batches and wholes agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from conftest import make_codec, voice

from wavelex.codec.codec import Codec
from wavelex.codec.concealment import Concealer
from wavelex.tokens.entropy.priors.store import Priors, StoredPrior
from wavelex.tokens.entropy.range_coder import TOTAL
from wavelex.tokens.tokens import LOST

HOP = 320


KEPT, FADING = 8, 4
"""Frames at 50 a second."""


@dataclass
class Repeating:
    """A prior that is nearly sure of each codebook's last code."""

    kind: str = "neural"
    sizes: Sequence[int] = (1024,) * 8

    def whole(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def session(self, lanes: int, codebooks: int) -> RepeatingSession:
        return RepeatingSession(np.zeros((codebooks, lanes), np.int64))


@dataclass
class RepeatingSession:
    last: np.ndarray

    def frequencies(self, book: int, lanes: np.ndarray) -> np.ndarray:
        table = np.full((len(lanes), 1024), 1.0)
        table[np.arange(len(lanes)), self.last[book, lanes]] += TOTAL - 1024
        return table

    def decoded(self, book: int, lanes: np.ndarray, codes: np.ndarray) -> None:
        self.last[book, lanes] = codes

    def next_frame(self) -> None:
        pass

    def heard(self, codes: np.ndarray) -> None:
        for frame in np.moveaxis(codes, 2, 0):
            self.last = np.where(frame.T >= 0, frame.T, self.last)


@pytest.fixture(scope="module")
def codec() -> Codec:
    made = make_codec(seed=5)
    return Codec(made.model, made.name, Priors((StoredPrior("5a5a5a5a", made.weights_hash, Repeating()),)))


def steady(frames: int, codec: Codec) -> np.ndarray:
    """The same code again and again."""
    return np.repeat(codec.encode(voice(1.0)).codes[:, :, 25:26], frames, axis=2)


def test_what_was_foreseen_is_not_missed(codec: Codec) -> None:
    codes = steady(30, codec)
    lost = codes.copy()
    lost[:, :, 12:15] = LOST
    latents, gains = Concealer(codec.model.quantizer, Repeating(), 1, 50.0).fill(lost, HOP)
    whole = codec.model.quantizer.decode(torch.from_numpy(codes))
    assert (latents - whole).norm() < 0.1 * whole.norm() and (gains == 1).all()


def test_long_losses_fade_to_silence_and_the_next_frame_is_whole(codec: Codec) -> None:
    lost = steady(60, codec)
    lost[:, :, 20:50] = LOST
    gains = Concealer(codec.model.quantizer, Repeating(), 1, 50.0).fill(lost, HOP)[1].reshape(60, HOP)
    assert (gains[: 20 + KEPT] == 1).all() and (gains[20 + KEPT + FADING + 1 : 50] == 0).all() and (gains[50:] == 1).all()
    assert (np.diff(gains[20 + KEPT : 50].ravel()) <= 1e-6).all()


def test_a_stream_that_begins_with_losses_is_silent_until_something_came(codec: Codec) -> None:
    codes = steady(10, codec)
    codes[:, :, :4] = LOST
    heard = codec.stream_decoder()
    samples = np.concatenate([heard.push(codes), heard.flush()], axis=1)
    assert (samples[:, : 4 * HOP] == 0).all() and np.abs(samples[:, 5 * HOP :]).max() > 0


@pytest.mark.parametrize("conceal", [True, False])
def test_streams_batches_and_wholes_agree(codec: Codec, conceal: bool) -> None:
    tokens = codec.encode(voice(1.6), codebooks=5)
    codes = tokens.codes.copy()
    codes[:, :, np.random.default_rng(0).random(80) < 0.3] = LOST
    tokens = replace(tokens, codes=codes)
    whole = codec.decode(tokens, conceal=conceal).samples
    for size in (1, 7, 80):
        session = codec.stream_decoder(conceal=conceal)
        pieces = [session.push(codes[:, :, i : i + size]) for i in range(0, 80, size)]
        streamed = np.concatenate([*pieces, session.flush()], axis=1)[:, : whole.shape[1]]
        np.testing.assert_allclose(streamed, whole, atol=1e-4)
    if conceal:
        short = codec.encode(voice(0.5), codebooks=5)
        np.testing.assert_allclose(codec.decode_batch([short, tokens])[1].samples, whole, atol=1e-4)


def test_without_concealment_a_lost_frame_is_silent(codec: Codec) -> None:
    codes = steady(20, codec)
    codes[:, :, 9] = LOST
    session = codec.stream_decoder(conceal=False)
    samples = np.concatenate([session.push(codes), session.flush()], axis=1)
    assert (samples[:, 9 * HOP : 10 * HOP] == 0).all()


def test_concealing_is_nearer_than_silence(codec: Codec) -> None:
    samples = voice(2.0, seed=7)
    tokens = codec.encode(samples)
    codes = tokens.codes.copy()
    codes[:, :, 10::10] = LOST
    whole = codec.decode(tokens).samples
    apart = [float(np.square(codec.decode(replace(tokens, codes=codes), conceal=c).samples - whole).sum()) for c in (True, False)]
    assert apart[0] < apart[1]
