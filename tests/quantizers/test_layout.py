"""Several frame rates as slots of a superframe: laid and taken apart again, coded, streamed and stored like any other codes."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, voice
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavelex.codec.codec import Codec
from wavelex.codec.model import CodecModel, stacked, unstacked
from wavelex.decoders.base import Condition
from wavelex.decoders.fourier import FourierDecoder
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.nn.streaming import State
from wavelex.quantizers.layout import Layout, Track
from wavelex.quantizers.residual import ResidualVQ
from wavelex.tokens.tokens import AudioTokens

TRACKS = st.lists(st.tuples(st.lists(st.integers(2, 9), min_size=1, max_size=3), st.sampled_from([1, 2, 4])), min_size=1, max_size=3)


def layout_of(tracks: list[tuple[list[int], int]]) -> Layout:
    return Layout(tuple(Track(f"track {i}", tuple(sizes), frames) for i, (sizes, frames) in enumerate(tracks)), 4)


@given(tracks=TRACKS, superframes=st.integers(0, 5))
def test_tracks_are_joined_and_split_again(tracks: list[tuple[list[int], int]], superframes: int) -> None:
    layout = layout_of(tracks)
    assert len(layout.sizes) == sum(len(sizes) * frames for sizes, frames in tracks)
    codes = {t.name: torch.randint(0, 99, (2, len(t.sizes), superframes * t.frames)) for t in layout.tracks}
    joined = layout.join(codes)
    assert joined.shape == (2, len(layout.sizes), superframes)
    again = layout.split(joined)
    assert all(torch.equal(again[name], codes[name]) for name in codes)
    # A prefix of the slots that ends with a track is that of the coarser tracks.
    first = layout.tracks[0]
    assert torch.equal(Layout((first,), 4).split(joined[:, : len(first.sizes) * first.frames])[first.name], codes[first.name])


@given(tracks=TRACKS)
def test_the_slot_before_is_that_of_the_frame_before(tracks: list[tuple[list[int], int]]) -> None:
    layout = layout_of(tracks)
    times = {
        t.name: torch.arange(3 * t.frames).expand(1, len(t.sizes), -1) * len(t.sizes) + torch.arange(len(t.sizes))[:, None]
        for t in layout.tracks
    }
    joined = layout.join(times)[0]
    steps = [len(t.sizes) for t in layout.tracks for _ in range(t.frames * len(t.sizes))]
    for slot, ((before, back), step) in enumerate(zip(layout.previous(), steps, strict=True)):
        assert joined[slot, 2] - joined[before, 2 - back] == step
    assert prod(layout.sizes) > 0


def test_layouts_that_cannot_be_are_refused() -> None:
    with pytest.raises(WavelexError, match="do not divide"):
        Layout((Track("a", (2,), 3),), 4)
    with pytest.raises(WavelexError, match="at least one codebook"):
        Track("a", ())


@given(frames=st.integers(0, 4), superframe=st.integers(1, 4))
def test_stacking_has_an_inverse(frames: int, superframe: int) -> None:
    latents = torch.randn(2, 3, frames * superframe)
    assert torch.equal(unstacked(stacked(latents, superframe), superframe), latents)
    if frames:
        assert torch.equal(stacked(latents, superframe)[:, :3, 0], latents[:, :, 0])


class TwoRates(ResidualVQ):
    """A codebook for the mean of two base frames, and one for what is left of each."""

    additive = False

    @property
    def layout(self) -> Layout:
        return Layout((Track("slow", (64,), 1), Track("fast", (64,), 2)), 2)


class Spoken(FourierDecoder):
    """Louder or softer by its speaker."""

    conditions = frozenset({"speaker"})

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        assert condition and condition.speaker is not None
        return condition.speaker, super().initial_state(batch, like)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        samples, inner = super().step(x, state[1], final)
        return samples * state[0][:, :, None], (state[0], inner)


def superframed() -> Codec:
    torch.manual_seed(0)
    parts = build("speech_16k", TINY)
    quantizer = TwoRates(2 * parts.encoder.dim, 3, 64)
    model = CodecModel(parts.encoder, quantizer, parts.decoder, 16_000)
    with torch.no_grad():
        quantizer.start(torch.randn(1, 2 * parts.encoder.dim, 2000) * model.latents(torch.from_numpy(voice(4.0))[None, None]).std())
    return Codec(model, "two rates")


@settings(max_examples=10)
@given(length=st.integers(0, 4000), chunk=st.sampled_from([1, 319, 640, 777]))
def test_superframes_are_the_frames_of_everything_else(length: int, chunk: int) -> None:
    codec = superframed()
    assert (codec.hop_length, codec.frame_rate, codec.codebooks) == (640, 25.0, 3)
    samples = voice(0.25)[:length]
    whole = codec.encode(samples)
    assert whole.codes.shape == (1, 3, -(-len(samples) // 640))
    assert len(codec.decode(whole)) == len(samples)
    step = max(chunk, 64)
    encoder, decoder = codec.stream_encoder(), codec.stream_decoder()
    pieces = [encoder.push(samples[i : i + step]) for i in range(0, len(samples), step)]
    codes = np.concatenate([*pieces, encoder.flush()], axis=2)
    assert np.array_equal(codes, whole.codes)
    heard = [decoder.push(codes[:, :, i : i + 1]) for i in range(codes.shape[2])]
    np.testing.assert_allclose(np.concatenate([*heard, decoder.flush()], axis=1)[:, : len(samples)], codec.decode(whole).samples, atol=1e-5)
    batch = codec.encode_batch([samples, voice(0.1)])
    assert np.array_equal(batch[0].codes, whole.codes)


def test_superframes_are_stored_and_refuse_what_they_cannot(tmp_path: Path) -> None:
    codec = superframed()
    tokens = codec.encode(voice(0.5))
    tokens.save(tmp_path / "a.wlx")
    assert np.array_equal(AudioTokens.load(tmp_path / "a.wlx").codes, tokens.codes)
    with pytest.raises(WavelexError, match="one frame rate"):
        codec.encode(voice(0.1), effort=5)


def test_a_decoder_that_needs_a_condition_says_so_and_is_given_it() -> None:
    torch.manual_seed(0)
    parts = build("speech_16k", TINY)
    decoder = Spoken(TINY["dim"], 16, 24, blocks=[(1, 0)], hop_length=320, trim=240)
    codec = Codec(CodecModel(parts.encoder, parts.quantizer, decoder, 16_000))
    tokens = codec.encode(voice(0.3))
    with pytest.raises(WavelexError, match="condition with speaker"):
        codec.decode(tokens)
    with pytest.raises(WavelexError, match="condition with speaker"):
        codec.stream_decoder()
    one, two = (codec.decode(tokens, condition=Condition(speaker=torch.full((1, 1), gain))).samples for gain in (1.0, 2.0))
    np.testing.assert_allclose(two, 2 * one, atol=1e-6)
