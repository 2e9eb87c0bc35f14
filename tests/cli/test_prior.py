"""`wavelex prior`: leaves files that make tokens smaller, or says that they would not."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import CommandLine
from conftest import make_codec, voice

from wavelex.audio.samples import Audio
from wavelex.codec.checkpoint import load_codec, save_codec
from wavelex.codec.codec import Codec
from wavelex.tokens.entropy.priors.store import load_prior


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capfd)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return make_codec(seed=1)


@pytest.fixture
def words(tmp_path: Path, codec: Codec) -> list[object]:
    (tmp_path / "data").mkdir()
    for seed in range(2):
        Audio(voice(15.0, seed=seed)[None], 16_000).save(tmp_path / "data" / f"{seed}.wav")
    save_codec(tmp_path / "mine.safetensors", codec.model, "mine")
    told = ["prior", tmp_path / "mine.safetensors", "--data", tmp_path / "data", "--cache", tmp_path / "cache"]
    return [*told, "--hidden", "8", "--batch", "4", "--turns", "1", "--effort", "0", "--precision", "float32"]


def test_both_priors_are_fitted_and_training_goes_on_from_one(
    run: CommandLine, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a neural prior needs to be the smaller one is minutes of training.
    monkeypatch.setattr("wavelex.cli.prior.bits_a_code", lambda prior, codes: {"neural": 5.0, "context": 6.0}[prior.kind])
    result = run(*words, "--steps", "20", "--learning-rate", "0.02")
    assert result.code == 0, result.err
    assert "in float32" in result.out and "5.000 bits a code on held-out stretches, 6.000 with the context prior" in result.out
    neural = tmp_path / "mine.neural.prior.safetensors"
    first = load_prior(neural).name
    assert run(*words, "--steps", "5", "--init", neural).code == 0
    assert load_prior(neural).name != first
    tokens = load_codec(tmp_path / "mine.safetensors").encode(voice(4.0, seed=1), effort=0)
    assert tokens.to_bytes() == tokens.to_bytes("neural")
    assert len(tokens.to_bytes("context")) < len(tokens.to_bytes("packed"))
    result = run(*words, "--init", tmp_path / "mine.context.prior.safetensors")
    assert result.code == 2 and "takes a neural one" in result.err


def test_a_neural_prior_that_is_no_smaller_than_the_context_one_is_not_written(
    run: CommandLine, words: list[object], tmp_path: Path
) -> None:
    result = run(*words, "--steps", "1", "--learning-rate", "0")
    assert result.code == 0 and "neural prior not written" in result.out, result.out
    assert (tmp_path / "mine.context.prior.safetensors").exists() and not (tmp_path / "mine.neural.prior.safetensors").exists()
    codec = load_codec(tmp_path / "mine.safetensors")
    assert codec.encode(voice(1.0)).to_bytes() == codec.encode(voice(1.0)).to_bytes("context")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--precision", "float8"], "--precision float8: choose from auto, float32, bfloat16"),
        (["--learning-rate", "nan"], "--learning-rate nan: give a rate from 0 to below 1"),
        (["--learning-rate=-1"], "--learning-rate -1: give a rate from 0 to below 1"),
        (["--hidden", "400"], "--hidden 400: give at most 256"),
        (["--data", "/nowhere"], "no such folder or manifest"),
    ],
)
def test_what_cannot_be_fitted_says_why(run: CommandLine, words: list[object], given: list[str], message: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    result = run(*words, *given)
    assert result.code == 2 and result.err.count("\n") == 1 and message in result.err, result.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_neural_prior_whose_sums_are_not_exact_is_told(run: CommandLine, words: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wavelex.tokens.entropy.priors.neural.NeuralPrior.largest_sum", lambda prior: 1 << 24)
    result = run(*words, "--steps", "1")
    assert result.code == 2 and result.err.count("\n") == 1 and "give a lower --learning-rate" in result.err, result.err


def test_too_little_to_fit_to_is_told(run: CommandLine, words: list[object], tmp_path: Path) -> None:
    (tmp_path / "data" / "1.wav").unlink()
    Audio(voice(2.0)[None], 16_000).save(tmp_path / "data" / "0.wav")
    result = run(*words)
    assert result.code == 2 and "2.0 s of recordings are too few for a prior; give 10 s or more" in result.err
