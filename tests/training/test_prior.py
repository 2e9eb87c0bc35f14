"""Fitting priors: the network learns what there is to learn, and the command leaves files that make tokens smaller."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import make_codec, voice
from typer.testing import CliRunner

from wavelex.audio.files import Audio
from wavelex.cli.app import app
from wavelex.codec.checkpoint import load_codec, save_codec
from wavelex.tokens.entropy.priors.inputs import whole_vectors
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.priors.store import load_prior
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
    prior = NeuralPrior.of(trainer.network, vectors)
    again = PriorTrainer(codes.astype(np.int16), vectors, PriorSettings(batch=16, prefix_odds=(0.2, 0.8)), prior.network())
    assert again.step() < 0.7


def test_the_command_fits_both_priors_and_goes_on_from_one(tmp_path: Path) -> None:
    made = make_codec(seed=1)
    weights = tmp_path / "mine.safetensors"
    save_codec(weights, made.model, "mine")
    (tmp_path / "data").mkdir()
    for seed in range(3):
        Audio(voice(60.0, seed=seed)[None], 16_000).save(tmp_path / "data" / f"{seed}.wav")
    command = [
        "prior",
        str(weights),
        "--data",
        str(tmp_path / "data"),
        "--cache",
        str(tmp_path / "cache"),
        "--hidden",
        "16",
        "--turns",
        "1",
    ]
    result = CliRunner().invoke(app, [*command, "--steps", "60", "--learning-rate", "0.01"])
    assert result.exit_code == 0, result.output
    first = load_prior(tmp_path / "mine.neural.prior.safetensors")[0]
    neural = str(tmp_path / "mine.neural.prior.safetensors")
    result = CliRunner().invoke(app, [*command, "--steps", "5", "--init", neural])
    assert result.exit_code == 0 and load_prior(Path(neural))[0] != first
    codec = load_codec(weights)
    tokens = codec.encode(voice(4.0, seed=1))
    sizes = {coding: len(tokens.to_bytes(coding)) for coding in ("packed", "context", "neural")}
    assert tokens.to_bytes() == tokens.to_bytes("neural")
    assert sizes["context"] < sizes["packed"] and sizes["neural"] < sizes["packed"]
    result = CliRunner().invoke(app, [*command, "--init", str(tmp_path / "mine.context.prior.safetensors")])
    assert result.exit_code != 0 and "takes a neural one" in str(result.exception)
