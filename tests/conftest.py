"""Signals and small codecs made in code; no recording enters the repository."""

from __future__ import annotations

import copy
from functools import cache

import hypothesis
import numpy as np
import pytest
import torch

from wavelex.codec.codec import Codec
from wavelex.codec.model import CodecModel
from wavelex.designs import build
from wavelex.tokens.entropy.priors.inputs import whole_vectors
from wavelex.tokens.entropy.priors.network import PriorNetwork, whole_prior
from wavelex.tokens.entropy.priors.store import Priors, StoredPrior, prior_hash

torch.set_num_threads(1)
# Machines are shared and noisy: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.load_profile("steady")
TINY = {"dim": 12, "encoder_width": 16, "encoder_hidden": 24, "decoder_width": 16, "decoder_hidden": 24}
"""Arguments of a speech_16k small enough for tests."""


def voice(seconds: float, sample_rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """Something speech-like (T,): a gliding harmonic tone under a moving envelope, with bursts of noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * sample_rate)) / sample_rate
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * t + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * 2.5 * t + rng.uniform(0, 6)), 0, 1)
    noise = rng.standard_normal(len(t)) * np.clip(-np.sin(2 * np.pi * 2.5 * t), 0, 1) ** 4
    return (0.12 * tone * envelope + 0.03 * noise).astype(np.float32)


def make_codec(seed: int = 0, **arguments: object) -> Codec:
    """A small speech_16k with random weights and codebooks placed on its own latents, in eval mode."""
    # Placing codebooks takes a second, so it is done once, and every test gets a copy of its own.
    return Codec(copy.deepcopy(_made(seed, tuple(sorted(arguments.items())))), "tiny")


@cache
def _made(seed: int, arguments: tuple[tuple[str, object], ...]) -> CodecModel:
    torch.manual_seed(seed)
    model = build("speech_16k", {**TINY, **dict(arguments)})
    with torch.no_grad():
        latents = model.latents(torch.from_numpy(voice(12.0))[None, None])
        # Far more points than codes, so that every codebook is left something to code.
        spread = latents.std(dim=2, keepdim=True) * torch.randn(1, latents.shape[1], 4000)
        model.quantizer.start(latents.mean(dim=2, keepdim=True) + spread)
    return model


def with_prior(codec: Codec) -> Codec:
    """The codec with a neural prior that knows nothing but that some codes are dearer than others."""
    quantizer = codec.model.quantizer
    vectors = whole_vectors(torch.stack([quantizer.code_vectors(book) for book in range(codec.codebooks)]).numpy())
    torch.manual_seed(0)
    network = PriorNetwork(codec.codebooks, vectors.shape[1], vectors.shape[2], 8)
    with torch.no_grad():
        network.out_bias.copy_(torch.randn_like(network.out_bias))
    prior = whole_prior(network, vectors)
    stored = StoredPrior(prior_hash(prior.kind, codec.weights_hash, prior.tensors), codec.weights_hash, prior)
    return Codec(codec.model, codec.name, Priors((stored,)))


@pytest.fixture(scope="session")
def tiny() -> Codec:
    return make_codec()


@pytest.fixture
def trainable() -> CodecModel:
    torch.manual_seed(0)
    return build("speech_16k", TINY)
