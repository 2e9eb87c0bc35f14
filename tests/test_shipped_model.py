"""The model inside the package: small, fast to look ahead, streaming, and as good as its card says it is at least."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import voice

import wavelex
from wavelex.audio.reading import read_audio
from wavelex.audio.recordings import list_recordings
from wavelex.audio.resampling import resample
from wavelex.audio.samples import Audio
from wavelex.bench.run.alignment import find_delay
from wavelex.bench.run.quick import there_and_back
from wavelex.bench.run.sample import speak
from wavelex.codec.checkpoint import save_codec
from wavelex.codec.codec import Codec
from wavelex.models import shipped_models

CORPUS = Path(os.environ.get("WAVELEX_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))


@pytest.fixture(scope="module")
def codec() -> Codec:
    return wavelex.load("speech-16k")


@pytest.mark.parametrize("name", sorted(shipped_models()))
def test_every_shipped_model_has_a_card_and_fits(name: str, tmp_path: Path) -> None:
    path = shipped_models()[name]
    assert path.stat().st_size < 25e6
    card = path.with_suffix(".md").read_text()
    codec = wavelex.load(name)
    assert codec.weights_hash in card
    save_codec(tmp_path / "again.safetensors", codec.model, name, codec.notes)
    assert wavelex.load(tmp_path / "again.safetensors").weights_hash == codec.weights_hash


def test_rates_and_lookahead_are_those_of_the_design(codec: Codec) -> None:
    assert (codec.sample_rate, codec.frame_rate, codec.model.quantizer.codebook_sizes) == (16000, 50.0, [1024] * 8)
    assert [codec.bitrate(n) for n in (1, 2, 8)] == [500.0, 1000.0, 4000.0]
    assert codec.model.lookahead / codec.sample_rate <= 0.08


def test_speech_it_never_heard_comes_back_better_with_every_doubling_of_the_rate(codec: Codec) -> None:
    speech = speak()
    scores = [there_and_back(codec, speech, n) for n in (1, 2, 4, 8)]
    pesq = [score.pesq or 0.0 for score in scores]
    assert pesq == sorted(pesq) and pesq[-1] > 1.6
    assert (scores[-1].stoi or 0.0) > 0.8


def test_what_comes_back_is_in_time(codec: Codec) -> None:
    speech = speak()
    heard = codec.decode(codec.encode(speech))
    assert abs(find_delay(speech.mono(), heard.mono())[0]) <= 3


def test_streams_equal_the_whole(codec: Codec) -> None:
    audio = speak()
    samples = resample(audio.samples, audio.sample_rate, 16000)[0][:32_000]
    whole = codec.encode(samples)
    decoded = codec.decode(codec.encode(samples)).samples
    for size in (320, 5000):
        encoder, decoder = codec.stream_encoder(), codec.stream_decoder()
        codes, heard = [], []
        for start in range(0, len(samples), size):
            codes.append(encoder.push(samples[start : start + size]))
            heard.append(decoder.push(codes[-1]))
        codes.append(encoder.flush())
        heard += [decoder.push(codes[-1]), decoder.flush()]
        assert np.array_equal(np.concatenate(codes, axis=2), whole.codes)
        np.testing.assert_allclose(np.concatenate(heard, axis=1)[:, : len(samples)], decoded, atol=1e-4)


def test_no_codebook_has_collapsed(codec: Codec) -> None:
    for book in codec.model.quantizer.codebooks:
        assert torch.isfinite(book.vectors).all()
        assert float((book.usage > 0.05 * book.usage.mean()).float().mean()) > 0.8


@pytest.mark.parametrize("level", [1e-4, 1e-2, 1.0])
def test_any_level_gives_finite_sound_of_about_that_level(codec: Codec, level: float) -> None:
    speech = speak()
    x = speech.samples / np.abs(speech.samples).max() * level
    heard = codec.decode(codec.encode(x, sample_rate=speech.sample_rate)).samples
    assert np.isfinite(heard).all()
    assert 0.2 < heard.std() / x.std() < 3.0


def test_extreme_input_gives_finite_sound(codec: Codec) -> None:
    rng = np.random.default_rng(0)
    for x in (
        np.zeros(9000),
        np.ones(9000),
        np.sign(rng.standard_normal(9000)),
        np.clip(100 * rng.standard_normal(9000), -8, 8),
        1e-30 * np.ones(9000),
    ):
        assert np.isfinite(codec.decode(codec.encode(x)).samples).all()


@pytest.mark.skipif(not (CORPUS / "dev").is_dir(), reason="needs the recordings of shared/corpus, which are not part of this repository")
def test_held_out_recordings_sound_as_the_card_says(codec: Codec) -> None:
    """The card's means over the test recordings, less what six recordings of the development set may be harder."""
    recordings = [read_audio(recording.path) for recording in list_recordings(CORPUS / "dev")[::17]]
    clips = [Audio(recording.samples[:, : 5 * recording.sample_rate], recording.sample_rate) for recording in recordings]
    for count, pesq, stoi in ((8, 3.05 - 0.25, 0.942 - 0.015), (2, 2.00 - 0.25, 0.886 - 0.015)):
        scores = [there_and_back(codec, clip, count) for clip in clips]
        assert not any(score.refusal for score in scores)
        assert np.mean([score.pesq for score in scores]) > pesq
        assert np.mean([score.stoi for score in scores]) > stoi


@pytest.mark.parametrize(("effort", "chunk"), [(0, 777), *(pytest.param(e, n, marks=pytest.mark.slow) for e, n in ((0, 641), (2, 777)))])
def test_streams_of_odd_chunks_give_the_codes_of_the_whole(effort: int, chunk: int) -> None:
    """Two vectors may be equally near but for a rounding: at most 200 codes in a million may differ, on any machine."""
    codec = wavelex.load()
    samples = np.concatenate([voice(4.0, seed=seed) for seed in range(5)])
    whole = codec.encode(samples, effort=effort).codes
    stream = codec.stream_encoder(effort=effort)
    pieces = [stream.push(samples[i : i + chunk]) for i in range(0, len(samples), chunk)]
    different = (np.concatenate([*pieces, stream.flush()], axis=2) != whole).sum()
    assert different <= max(8, 200e-6 * whole.size)
