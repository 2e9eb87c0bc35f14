"""What users of tensors and language models expect: codes in and out as tensors, batches with lengths, any precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_codec, voice, with_prior

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.errors import WavelexError
from wavelex.tokens.tokens import AudioTokens

CODEC = make_codec()


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, lambda codes: torch.from_numpy(codes).to(torch.int32), np.ndarray.tolist])
def test_bare_codes_decode_as_their_tokens_do(kind: object) -> None:
    tokens = CODEC.encode(voice(0.5), codebooks=3)
    expected = CODEC.decode(tokens).samples
    for codes in (tokens.codes, tokens.codes[0]):
        audio = CODEC.decode(kind(codes))  # type: ignore[operator]
        assert audio.sample_rate == 16_000
        np.testing.assert_allclose(audio.samples, expected, atol=1e-5)
    batch = CODEC.decode(torch.from_numpy(np.concatenate([tokens.codes, tokens.codes])))
    np.testing.assert_allclose(batch.samples[1], expected[0], atol=1e-5)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (np.zeros((2, 3, 4, 5), int), "shape"),
        (np.zeros((9, 3), int), "1 to 8 codebooks"),
        (np.full((2, 3), 1024), "must be 0 to 1023"),
        (np.zeros((2, 3)), "whole numbers"),
        (torch.full((1, 2, 3), float("nan")), "whole numbers"),
    ],
)
def test_bare_codes_that_cannot_be_decoded_are_refused_in_words(codes: object, words: str) -> None:
    with pytest.raises(WavelexError, match=words):
        CODEC.decode(codes)  # type: ignore[arg-type]


def test_ids_of_a_language_model_become_tokens_without_another_file() -> None:
    tokens = CODEC.encode(voice(0.4), codebooks=2)
    ids = torch.from_numpy(tokens.to_ids(first=50))
    made = AudioTokens.from_ids(ids, CODEC, codebooks=2, first=50)
    assert np.array_equal(made.codes, tokens.codes) and made.length == tokens.codes.shape[2] * 320
    assert np.array_equal(AudioTokens.from_ids(ids[0], CODEC, codebooks=2, first=50).codes, tokens.codes)
    for wrong, words in ((ids + 0.5, "whole numbers"), (torch.full((1, 4), float("nan")), "whole numbers"), (ids - 2000, "ids below")):
        with pytest.raises(WavelexError, match=words):
            AudioTokens.from_ids(wrong, CODEC, codebooks=2, first=50)
        with pytest.raises(WavelexError, match=words):
            tokens.with_ids(wrong, first=50)


def test_tokens_decode_from_their_file(tmp_path: Path) -> None:
    codec = with_prior(make_codec())
    tokens = codec.encode(voice(0.3, 22_050), sample_rate=22_050)
    tokens.save(tmp_path / "a.wlx")
    audio = codec.decode(tmp_path / "a.wlx")
    assert np.array_equal(audio.samples, codec.decode(tokens).samples) and audio.sample_rate == 22_050


def test_a_batch_of_tensors_with_lengths_gives_the_codes_of_each() -> None:
    lengths = torch.tensor([8000, 5000, 321, 0])
    batch = torch.zeros(4, 8000)
    for row, (seed, length) in enumerate(zip(range(4), lengths.tolist(), strict=True)):
        batch[row, :length] = torch.from_numpy(voice(0.5, seed=seed)[:length])
        batch[row, length:] = 0.5  # what is beyond an end must not matter
    with torch.no_grad():
        codes = CODEC.model.encode(batch, lengths, num_codebooks=4)
    for row, length in enumerate(lengths.tolist()):
        alone = CODEC.encode(batch[row, :length], codebooks=4, effort=0).codes[0]
        assert np.array_equal(codes[row, :, : alone.shape[1]], alone) and (codes[row, :, alone.shape[1] :] == -1).all()


@pytest.mark.parametrize("effort", [0, 2])
def test_a_batch_of_any_sources_is_as_one_by_one(effort: int, tmp_path: Path) -> None:
    codec = with_prior(make_codec())
    write_audio(tmp_path / "a.wav", Audio(voice(0.7, 22_050)[None], 22_050))
    stereo = np.stack([voice(0.3, seed=1), voice(0.3, seed=2)])
    sources = [tmp_path / "a.wav", voice(1.1, seed=3), torch.from_numpy(voice(0.2))[None], stereo, Audio(voice(0.5, 8000)[None], 8000)]
    for found, source in zip(codec.encode_batch(sources, effort=effort), sources, strict=True):
        alone = codec.encode(source, effort=effort)
        assert np.array_equal(found.codes, alone.codes)
        assert (found.length, found.source_rate) == (alone.length, alone.source_rate)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_encode_and_decode(dtype: torch.dtype) -> None:
    codec = make_codec().to(dtype)
    samples = voice(1.0)
    tokens = codec.encode(samples)
    same = (tokens.codes == CODEC.encode(samples).codes).mean()
    assert same > {torch.float64: 0.999, torch.float16: 0.85, torch.bfloat16: 0.3}[dtype]
    heard = codec.decode(tokens).samples
    assert heard.dtype == np.float32 and np.isfinite(heard).all()
    stream = codec.stream_encoder(effort=0)
    chunks = [stream.push(samples[i : i + 777]) for i in range(0, len(samples), 777)]
    whole = codec.encode(samples, effort=0).codes
    assert (np.concatenate([*chunks, stream.flush()], axis=2) == whole).mean() > 0.9
    made = codec.model(torch.from_numpy(samples).to(dtype)[None, None])
    made.samples.float().square().mean().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in codec.model.parameters())


def test_streams_take_and_give_any_sample_rate() -> None:
    samples = voice(1.0, 48_000)
    whole = CODEC.encode(samples, sample_rate=48_000)
    encoder = CODEC.stream_encoder(sample_rate=48_000)
    pieces = [encoder.push(torch.from_numpy(samples[i : i + 1000])) for i in range(0, len(samples), 1000)]
    codes = np.concatenate([*pieces, encoder.flush()], axis=2)
    assert codes.shape == whole.codes.shape and (codes == whole.codes).mean() > 0.99
    decoder = CODEC.stream_decoder(sample_rate=48_000)
    heard = np.concatenate([decoder.push(torch.from_numpy(codes)), decoder.flush()], axis=1)
    expected = CODEC.decode(codes, sample_rate=48_000).samples
    count = min(heard.shape[1], expected.shape[1])
    assert abs(heard.shape[1] - len(samples)) <= 960
    np.testing.assert_allclose(heard[:, :count], expected[:, :count], atol=1e-4)


def test_more_streams_than_any_recording_has_channels() -> None:
    encoder = CODEC.stream_encoder(streams=70)
    assert encoder.push(np.zeros((70, 3200), np.float32)).shape[0] == 70


@pytest.mark.parametrize("source", [[0.0] * 5000, b"x" * 5000, {"a": 1}, None])
def test_what_is_no_recording_is_refused_in_a_short_line(source: object) -> None:
    with pytest.raises(WavelexError) as caught:
        CODEC.encode(source)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200


def test_a_sample_rate_for_what_has_its_own_is_refused(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(0.1)[None], 16_000))
    with pytest.raises(WavelexError, match="has 16000 Hz, not 8000"):
        CODEC.encode(tmp_path / "a.wav", sample_rate=8000)
    assert CODEC.encode(tmp_path / "a.wav", sample_rate=16_000).length == 1600


def test_rates_are_understood_in_words() -> None:
    assert CODEC.encode(voice(0.1), bitrate="1.5k").codebooks == CODEC.encode(voice(0.1), bitrate=1500).codebooks == 3
    with pytest.raises(WavelexError, match="give bits a second"):
        CODEC.encode(voice(0.1), bitrate="fast")
