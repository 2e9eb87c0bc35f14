"""Fitting priors: the network learns what there is to learn, and the command leaves files that make tokens smaller."""

from __future__ import annotations

import numpy as np
import pytest

from wavelex.tokens.entropy.priors.inputs import whole_vectors
from wavelex.tokens.entropy.priors.network import network_of, whole_prior
from wavelex.training.prior import LANE_FRAMES, PriorSettings, PriorTrainer


def test_codes_that_follow_from_the_past_are_learned() -> None:
    rng = np.random.default_rng(0)
    start = rng.integers(0, 16, (30, 1, 1))
    codes = (start + np.arange(4 * LANE_FRAMES)[None, None] * np.array([1, 3])[None, :, None]) % 16
    vectors = whole_vectors(rng.standard_normal((2, 16, 8)))
    trainer = PriorTrainer(
        codes.astype(np.int16), vectors, PriorSettings(steps=250, batch=16, hidden=48, prefix_odds=(0.2, 0.8), learning_rate=1e-2)
    )
    bits = [trainer.step() for _ in range(250)]
    assert bits[0] == pytest.approx(4.0, abs=0.5) and np.mean(bits[-10:]) < 0.6
    prior = whole_prior(trainer.network, vectors)
    again = PriorTrainer(codes.astype(np.int16), vectors, PriorSettings(batch=16, prefix_odds=(0.2, 0.8)), network_of(prior))
    assert again.step() < 0.7
