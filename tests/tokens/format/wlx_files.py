"""Token files made in code."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
import torch

from wavelex.tokens.entropy.priors.network import PriorNetwork, whole_prior
from wavelex.tokens.entropy.priors.store import Priors, StoredPrior
from wavelex.tokens.format.container import Reader, Writer
from wavelex.tokens.format.header import Header

BLOCK_FRAMES = Header("", "00" * 8, 16_000, 320, 16_000, 1, (2,)).block_frames
SIZES = (1024, 1024, 500)
SAMPLES_A_FRAME = 320 * 44100 // 16000


def random_codes(frames: int, streams: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, (streams, frames)) for size in SIZES], axis=1)


def written(codes: np.ndarray, pieces: int = 1, short_by: int = 0, version: int = 3) -> bytes:
    """A file whose last frame is `short_by` source samples short of full."""
    buffer = io.BytesIO()
    writer = Writer(buffer, Header("tiny", "0011223344556677", 16000, 320, 44100, codes.shape[0], SIZES, version=version))
    for piece in np.array_split(codes, pieces, axis=2):
        writer.write(piece)
    writer.close(max(0, codes.shape[2] * SAMPLES_A_FRAME - short_by))
    return buffer.getvalue()


def reading(data: bytes, priors: Priors = Priors()) -> Reader:  # noqa: B008 - it cannot change
    return Reader(io.BytesIO(data), "x.wlx", priors)


@cache
def certain_priors() -> Priors:
    """A prior for two codebooks of four entries that is certain of code 0."""
    network = PriorNetwork(2, 4, 3, 4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.out_bias[:, 0] = 40.0
    prior = whole_prior(network, np.ones((2, 4, 3), np.int16))
    return Priors((StoredPrior("0a0b0c0d", "0123456789abcdef", prior),))


def certain_header() -> Header:
    """Of files that are coded with `certain_priors`."""
    stored = certain_priors().stored[0]
    return Header("certain", stored.weights_hash, 16000, 320, 16000, 1, (4, 4), coding="neural", prior=stored.name)
