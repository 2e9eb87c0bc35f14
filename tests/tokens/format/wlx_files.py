"""Token files made in code."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch

from wavelex.tokens.entropy.priors.network import PriorNetwork
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.priors.store import register_beside, save_prior
from wavelex.tokens.format.container import Reader, Writer
from wavelex.tokens.format.header import Header

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


def reading(data: bytes) -> Reader:
    return Reader(io.BytesIO(data), "x.wlx")


@cache
def certain_header() -> Header:
    """Of files of two codebooks of four entries, with a prior that is certain of code 0."""
    network = PriorNetwork(2, 4, 3, 4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.out_bias[:, 0] = 40.0
    weights = "0123456789abcdef"
    with tempfile.TemporaryDirectory() as folder:
        name = save_prior(Path(folder) / "a.neural.prior.safetensors", NeuralPrior.of(network, np.ones((2, 4, 3), np.int16)), weights)
        register_beside(Path(folder) / "a.safetensors", weights)
    return Header("certain", weights, 16000, 320, 16000, 1, (4, 4), coding="neural", prior=name)
