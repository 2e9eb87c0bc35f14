"""Frames of different sizes: the allocation is the best of its mean, the bits are those asked for, all of it decodes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_codec, voice, with_prior
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.codec.codec import Codec
from wavelex.codec.long_signals import SourceReader
from wavelex.codec.options import EncodeOptions
from wavelex.errors import WavelexError
from wavelex.search.allocation import allocate, allocate_error, loudness_weights, prefix_errors
from wavelex.search.nearest import encode_varied
from wavelex.search.target import Quality
from wavelex.tokens.entropy.blocks import COUNT_GROUP
from wavelex.tokens.tokens import AudioTokens


@pytest.fixture(scope="module")
def codec() -> Codec:
    return with_prior(make_codec(seed=3))


@given(seed=st.integers(0, 10**6), mean=st.floats(1.0, 3.0))
@settings(max_examples=40)
def test_no_other_allocation_of_that_many_codebooks_has_less_error(seed: int, mean: float) -> None:
    gains = np.sort(np.random.default_rng(seed).random((1, 3, 3)), axis=1)[:, ::-1].copy()
    falling = torch.from_numpy(10 - np.cumsum(gains, axis=1)).repeat_interleave(COUNT_GROUP, dim=2)
    counts = allocate(falling, mean)[0]
    assert counts.double().mean() <= mean
    ours = falling[0].gather(0, (counts - 1)[None]).sum()
    for other in itertools.product((1, 2, 3), repeat=3):
        rest = torch.tensor(other).repeat_interleave(COUNT_GROUP)
        if rest.sum() <= counts.sum():
            assert ours <= falling[0].gather(0, (rest - 1)[None]).sum() + 1e-9


@given(seed=st.integers(0, 10**6), like=st.floats(1.0, 4.0))
@settings(max_examples=40)
def test_a_quality_is_reached_with_no_more_codebooks_than_in_every_frame(seed: int, like: float) -> None:
    rng = np.random.default_rng(seed)
    errors = torch.from_numpy(np.exp(-rng.uniform(0.2, 1.5, (2, 4, 30)).cumsum(axis=1)) * rng.uniform(0.1, 10, (2, 1, 30)))
    counts = allocate_error(errors, like)
    fixed = errors.sum((0, 2)).log().numpy()
    assert float(errors.gather(1, counts[:, None] - 1).sum()) <= np.exp(np.interp(like, [1, 2, 3, 4], fixed)) * (1 + 1e-6)
    assert counts.double().mean() <= np.ceil(like)


def test_each_frame_is_coded_as_if_all_had_its_number(codec: Codec) -> None:
    latents = codec.model.latents(torch.from_numpy(voice(1.0))[None, None]).detach()
    counts = torch.randint(1, 9, (50,), generator=torch.Generator().manual_seed(0))
    codes = encode_varied(codec.model.quantizer, latents, counts, 8, (1, 4))
    for frame, count in enumerate(counts.tolist()):
        assert torch.equal(codes[0, :count, frame], codec.model.quantizer.encode(latents, count, (1, 4))[0, :, frame])
        assert (codes[0, count:, frame] == -1).all()


def test_errors_are_those_of_the_prefixes(codec: Codec) -> None:
    latents = codec.model.latents(torch.from_numpy(voice(0.5))[None, None]).detach()
    errors = prefix_errors(codec.model.quantizer, latents, codec.model.quantizer.encode(latents))
    for count in (1, 5, 8):
        decoded = codec.model.quantizer.decode(codec.model.quantizer.encode(latents, count))
        torch.testing.assert_close(errors[:, count - 1], (latents - decoded).square().sum(1))


def test_loud_frames_weigh_more_and_so_does_the_frame_after() -> None:
    samples = torch.zeros(1, 3200)
    samples[0, 960:1280] = 0.5
    weights = loudness_weights(samples, 10, 320)[0]
    assert weights.argmax() == 3 and weights[4] == weights[3] and weights[5] < weights[4]


@pytest.mark.parametrize("effort", [1, 5])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_file_is_as_long_as_asked_for_and_decodes(codec: Codec, effort: int, share: float, tmp_path: Path) -> None:
    samples = np.concatenate([voice(4.0, seed=2), np.zeros(32_000, np.float32)])
    most = 8 * len(codec.encode(samples).to_bytes()) / 6
    tokens = codec.encode(samples, target=share * most, effort=effort)
    assert tokens.varies and 8 * len(tokens.to_bytes()) / 6 == pytest.approx(share * most, rel=0.08)
    counts = (tokens.codes[0] >= 0).sum(0)
    assert counts[:200].mean() > counts[210:].mean()
    tokens.save(tmp_path / "a.wlx")
    loaded = AudioTokens.load(tmp_path / "a.wlx", codec=codec)
    assert np.array_equal(loaded.codes, tokens.codes) and loaded.bitrate == tokens.bitrate
    assert np.array_equal(codec.decode(loaded).samples, codec.decode(tokens).samples)


def test_rates_out_of_reach_give_the_nearest_there_is(codec: Codec) -> None:
    samples = voice(1.0)
    assert (codec.encode(samples, target=1.0).codes[0] >= 0).sum(0).tolist() == [1] * 50
    assert (codec.encode(samples, target=1e6).codes >= 0).all()
    assert codec.encode(samples[:0], target=1000.0).codes.shape == (1, 8, 0)
    with pytest.raises(WavelexError, match="more than 0"):
        codec.encode(samples, target=0.0)


def test_a_quality_takes_fewer_bits_than_that_number_of_codebooks_throughout(codec: Codec) -> None:
    samples = np.concatenate([voice(4.0, seed=2), np.zeros(32_000, np.float32)])
    fixed = codec.encode(samples, codebooks=4)
    sizes = [len(codec.encode(samples, target=Quality(like)).to_bytes()) for like in (2.5, 4.0, 5.0)]
    assert sizes == sorted(sizes) and sizes[1] < 0.9 * len(fixed.to_bytes())
    latents = codec.model.latents(torch.from_numpy(samples)[None, None]).detach()
    frames = fixed.codes.shape[2]
    weights = loudness_weights(torch.from_numpy(samples)[None], frames, codec.hop_length)
    nearest, chosen = codec.encode(samples, codebooks=4, effort=0), codec.encode(samples, target=Quality(4.0), effort=0)
    left = [
        float(((latents - codec.model.quantizer.decode(torch.from_numpy(tokens.codes))).square().sum(1) * weights).sum())
        for tokens in (nearest, chosen)
    ]
    assert 0.8 * left[0] < left[1] <= 1.001 * left[0]
    with pytest.raises(WavelexError, match="1 or more"):
        codec.encode(samples, target=Quality(0.5))


def test_the_target_is_that_of_the_file_as_it_is_written(codec: Codec) -> None:
    samples = voice(4.0, seed=2)
    with SourceReader(samples, None, 16_000) as source:
        pieces = codec.encoded(source, EncodeOptions(effort=0, target=2000.0, packet_seconds=0.08))
        tokens = AudioTokens.from_codes(np.concatenate(list(pieces), axis=2), codec)
    assert 8 * len(tokens.to_bytes(block_frames=4)) / 4 == pytest.approx(2000, rel=0.1)
    with SourceReader(samples, None, 16_000) as source, pytest.raises(WavelexError, match="cannot be packed"):
        codec.encoded(source, EncodeOptions(target=2000.0, coding="packed"))


def test_without_a_prior_there_is_no_variable_rate(tiny: Codec) -> None:
    with pytest.raises(WavelexError, match="token prior"):
        tiny.encode(voice(0.2), target=1000.0)


def test_what_the_prior_knows_nothing_of_costs_no_more_than_without_one(codec: Codec) -> None:
    codes = np.random.default_rng(0).integers(0, 1024, (1, 8, 450))
    tokens = AudioTokens.from_codes(codes, codec)
    assert len(tokens.to_bytes("neural")) <= len(tokens.to_bytes("packed"))
    assert np.array_equal(AudioTokens.from_bytes(tokens.to_bytes("neural"), codec).codes, codes)
