"""The promises of encode and decode: exact lengths, batches, rates, channels, sample rates, streams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import make_codec, voice
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.audio.samples import Audio
from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.search.effort import DEFAULT_EFFORT, choose_effort
from wavelex.tokens.tokens import LOST

CODEC = make_codec()


@settings(max_examples=60)
@given(length=st.one_of(st.integers(0, 1300), st.integers(0, 40_000)))
def test_length_is_exact(length: int) -> None:
    tokens = CODEC.encode(voice(3)[:length])
    assert tokens.codes.shape == (1, 8, -(-length // 320))
    assert len(CODEC.decode(tokens)) == length


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("length", [0, 1, 997, 30_001])
def test_length_is_exact_at_any_rate(rate: int, length: int) -> None:
    x = voice(4, rate)[:length]
    audio = CODEC.decode(CODEC.encode(x, sample_rate=rate))
    assert (len(audio), audio.sample_rate) == (length, rate)


@settings(max_examples=20)
@given(lengths=st.lists(st.integers(0, 9000), min_size=1, max_size=5), codebooks=st.integers(1, 8))
def test_batch_equals_one_by_one(lengths: list[int], codebooks: int) -> None:
    clips = [voice(1, seed=i)[:n] for i, n in enumerate(lengths)]
    batch = CODEC.encode_batch(clips, codebooks=codebooks)
    audio = CODEC.decode_batch(batch)
    for clip, tokens, decoded in zip(clips, batch, audio, strict=True):
        alone = CODEC.encode(clip, codebooks=codebooks)
        assert np.array_equal(tokens.codes, alone.codes)
        np.testing.assert_allclose(decoded.samples, CODEC.decode(alone).samples, atol=1e-5)


def test_encoding_in_blocks_equals_the_whole_signal(tiny: Codec) -> None:
    x = voice(23.7)
    whole = tiny.model.quantizer.encode(tiny.model.latents(torch.from_numpy(x)[None, None]), beams=choose_effort(DEFAULT_EFFORT).beams)
    assert np.array_equal(tiny.encode(x).codes, whole.numpy())
    with torch.no_grad():
        samples = tiny.model.synthesize(tiny.model.quantizer.decode(whole))[0, :, : len(x)]
    np.testing.assert_allclose(tiny.decode(tiny.encode(x)).samples, samples, atol=1e-5)


def test_training_sees_what_decoding_gives(tiny: Codec) -> None:
    x = voice(2.01)
    with torch.no_grad():
        trained = tiny.model(torch.from_numpy(x)[None, None]).samples[0]
    np.testing.assert_allclose(tiny.decode(tiny.encode(x, effort=0)).samples, trained, atol=1e-5)


def test_a_prefix_of_the_tokens_is_the_encoding_at_that_rate(tiny: Codec) -> None:
    x = voice(2)
    assert np.array_equal(tiny.encode(x, effort=0).prefix(3).codes, tiny.encode(x, codebooks=3, effort=0).codes)


@pytest.mark.parametrize(("asked", "given"), [(500, 1), (1499, 2), (1500, 3), (4000, 8), (64_000, 8)])
def test_bitrate_is_rounded_down_to_codebooks(tiny: Codec, asked: float, given: int) -> None:
    tokens = tiny.encode(voice(1), bitrate=asked)
    assert tokens.codebooks == given
    assert tokens.bitrate == 500 * given


def test_stereo_is_mixed_unless_asked_otherwise(tiny: Codec) -> None:
    left, right = voice(1.5, seed=1), voice(1.5, seed=2)
    stereo = np.stack([left, right])
    assert np.array_equal(tiny.encode(stereo).codes, tiny.encode(stereo.mean(axis=0)).codes)
    each = tiny.encode(stereo, per_channel=True)
    assert each.codes.shape[0] == 2
    for channel, x in enumerate((left, right)):
        assert np.array_equal(each.codes[channel], tiny.encode(x).codes[0])
    decoded = tiny.decode(each)
    assert decoded.samples.shape == (2, len(left))
    np.testing.assert_allclose(decoded.samples[1], tiny.decode(tiny.encode(right)).samples[0], atol=1e-5)


def test_file_array_and_audio_give_the_same_tokens(tiny: Codec, tmp_path: Path) -> None:
    integers = (voice(12.5, 44100) * 32767).astype(np.int16)
    x = integers.astype(np.float32) / 32768
    soundfile.write(tmp_path / "a.wav", integers, 44100)
    from_file = tiny.encode(tmp_path / "a.wav")
    from_array = tiny.encode(x, sample_rate=44100)
    assert from_file.length == from_array.length == len(x)
    assert np.array_equal(from_file.codes, from_array.codes)
    assert np.array_equal(tiny.encode(integers, sample_rate=44100).codes, from_array.codes)
    assert np.array_equal(from_array.codes, tiny.encode(Audio(x[None], 44100)).codes)
    assert np.array_equal(from_array.codes, tiny.encode(torch.from_numpy(x), sample_rate=44100).codes)


@settings(max_examples=15)
@given(sizes=st.lists(st.integers(0, 3000), max_size=12), seed=st.integers(0, 5))
def test_streams_equal_the_whole_for_any_chunking(sizes: list[int], seed: int) -> None:
    x = voice(1.7, seed=seed)
    whole = CODEC.encode(x)
    encoder, decoder = CODEC.stream_encoder(), CODEC.stream_decoder()
    codes, samples, start = [], [], 0
    for size in [*sizes, len(x)]:
        codes.append(encoder.push(x[start : start + size]))
        samples.append(decoder.push(codes[-1]))
        start += size
    codes.append(encoder.flush())
    samples += [decoder.push(codes[-1]), decoder.flush()]
    assert np.array_equal(np.concatenate(codes, axis=2), whole.codes)
    heard = np.concatenate(samples, axis=1)[:, : len(x)]
    np.testing.assert_allclose(heard, CODEC.decode(whole).samples, atol=1e-5)


def test_the_declared_latency_is_what_a_stream_needs(tiny: Codec) -> None:
    """Pushed one by one, sample s is out when sample s + latency is in, always; and for some s not a sample earlier."""
    latency = round(tiny.latency * tiny.sample_rate)
    assert tiny.model.lookahead <= 0.08 * tiny.sample_rate
    x = voice(0.15)
    encoder, decoder = tiny.stream_encoder(), tiny.stream_decoder()
    available, spare = 0, []
    for pushed, sample in enumerate(x, start=1):
        available += decoder.push(encoder.push(sample[None])).shape[1]
        spare.append(available - (pushed - latency + 1))
    assert min(spare) == 0


def test_microphones_that_give_int16_are_heard_right(tiny: Codec) -> None:
    integers = (voice(1) * 32767).astype(np.int16)
    expected = tiny.encode(integers).codes
    session = tiny.stream_encoder()
    assert np.array_equal(np.concatenate([session.push(integers), session.flush()], axis=2), expected)
    assert np.array_equal(tiny.encode_batch([integers])[0].codes, expected)


def test_a_flushed_stream_takes_no_more_until_it_is_reset(tiny: Codec) -> None:
    encoder, decoder = tiny.stream_encoder(), tiny.stream_decoder()
    x = voice(0.5)
    first = np.concatenate([encoder.push(x), encoder.flush()], axis=2)
    heard = np.concatenate([decoder.push(first), decoder.flush()], axis=1)
    with pytest.raises(WavelexError, match="has ended with flush"):
        encoder.push(x)
    with pytest.raises(WavelexError, match="has ended with flush"):
        decoder.push(first)
    encoder.reset()
    decoder.reset()
    assert np.array_equal(np.concatenate([encoder.push(x), encoder.flush()], axis=2), first)
    assert np.array_equal(np.concatenate([decoder.push(first), decoder.flush()], axis=1), heard)


def test_lost_frames_are_silent_and_the_rest_is_heard(tiny: Codec) -> None:
    tokens = tiny.encode(voice(2))
    codes = tokens.codes.copy()
    codes[:, :, 40:60] = LOST
    lost = tiny.decode(replace(tokens, codes=codes))
    assert not lost.samples[:, 40 * 320 : 60 * 320].any()
    np.testing.assert_allclose(lost.samples[:, : 30 * 320], tiny.decode(tokens).samples[:, : 30 * 320], atol=1e-5)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.full(100, np.nan, np.float32), "NaN"),
        (np.full(100, np.inf), "infinite"),
        (np.zeros((0, 100)), "no channels"),
        (np.zeros((1, 2, 3)), "shape"),
        (np.zeros(10, np.int32), "type int32"),
        (np.zeros((1000, 2)), "not \\(T, channels\\)"),
    ],
)
def test_samples_that_cannot_be_coded_are_refused_in_words(tiny: Codec, source: np.ndarray, words: str) -> None:
    with pytest.raises(WavelexError, match=words):
        tiny.encode(source)


def test_requests_that_cannot_be_served_are_refused_in_words(tiny: Codec) -> None:
    for arguments, words in [
        ({"codebooks": 0}, "1 to 8"),
        ({"codebooks": 9}, "1 to 8"),
        ({"bitrate": 499.0}, "below the lowest rate"),
        ({"bitrate": 1000.0, "codebooks": 2}, "not both"),
    ]:
        with pytest.raises(WavelexError, match=words):
            tiny.encode(voice(0.1), **arguments)
    with pytest.raises(WavelexError, match="NaN"):
        tiny.stream_encoder().push(np.array([0.0, np.nan]))
    with pytest.raises(WavelexError, match="type int64"):
        tiny.stream_encoder().push(np.zeros(10, np.int64))
    with pytest.raises(WavelexError, match="must be 0 to 1023"):
        tiny.stream_decoder().push(np.full((1, 8, 1), 1024))
    with pytest.raises(WavelexError, match="2 channels for 1 streams"):
        tiny.stream_encoder().push(np.zeros((2, 10)))


def test_tokens_of_other_weights_are_refused(tiny: Codec) -> None:
    tokens = tiny.encode(voice(0.2))
    other = make_codec(seed=1)
    with pytest.raises(WavelexError, match="decode with the model that encoded it"):
        other.decode(tokens)
