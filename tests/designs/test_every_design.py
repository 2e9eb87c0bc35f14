"""What holds for every design, at its small preset; and its size at full."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import voice

from wavelex.codec.checkpoint import load_codec, save_codec
from wavelex.codec.codec import Codec
from wavelex.designs import DESIGNS, build
from wavelex.objectives import make_objectives
from wavelex.tokens.tokens import AudioTokens
from wavelex.training.settings import Settings

SECONDS = 1.3
# All tests of a design in one process of several, where its codec is made once.
MARKS = {name: [pytest.mark.xdist_group(name)] for name in DESIGNS}
# They differ from another by numbers alone: dac_44k, snac_44k, wavtokenizer_75, encodec_24k, tokenbridge.
for alike in ("dac_16k", "dac_24k", "snac_24k", "wavtokenizer_40", "soundstream", "continuous_vae"):
    MARKS[alike].append(pytest.mark.slow)
EVERY = [pytest.param(name, marks=marks) for name, marks in MARKS.items()]


@lru_cache(maxsize=3)
def small(name: str) -> Codec:
    """With random weights, and codebooks on its own latents."""
    torch.manual_seed(0)
    model = build(name, preset="small").eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "bias" in key:
                # In a deep network that has learned nothing they drown the signal, and all frames are nearly one.
                parameter.zero_()
        if not model.quantizer.started:
            latents = model.latents(torch.from_numpy(voice(6.0, model.sample_rate))[None, None])
            spread = latents.std(dim=2, keepdim=True) * torch.randn(1, latents.shape[1], 1200)
            model.quantizer.start(latents.mean(dim=2, keepdim=True) + spread)
            for key, buffer in model.quantizer.named_buffers():
                if key.endswith("total"):
                    # K-means on so few latents leaves some vectors twice, and either may be taken.
                    buffer.mul_(1 + 1e-3 * torch.randn_like(buffer))
    return Codec(model, name)


def signal(codec: Codec, seconds: float = SECONDS, seed: int = 0) -> np.ndarray:
    return voice(seconds, codec.sample_rate, seed)


@pytest.mark.parametrize("name", EVERY)
def test_the_small_preset_is_small(name: str) -> None:
    model = small(name).model
    assert model.sample_rate == 16_000
    assert sum(p.numel() for p in model.parameters()) <= 3.2e6


@pytest.mark.parametrize("preset", ["full", "small"])
@pytest.mark.parametrize("name", EVERY)
def test_it_is_built_without_memory(name: str, preset: str) -> None:
    """As a checkpoint's header asks for it, before its tensors are looked at."""
    with torch.device("meta"):
        model = build(name, preset=preset)
    assert all(p.is_meta for p in model.parameters())
    assert {key: value.shape for key, value in model.state_dict().items()} == {
        key: value.shape for key, value in (small(name).model if preset == "small" else model).state_dict().items()
    }


@pytest.mark.parametrize("name", [name for name, design in DESIGNS.items() if design.card.parameters])
def test_the_full_size_is_that_of_the_paper(name: str) -> None:
    with torch.device("meta"):
        model = build(name)
    counted = sum(p.numel() for p in model.parameters()) / 1e6
    assert counted == pytest.approx(DESIGNS[name].card.parameters, rel=0.02)


@pytest.mark.parametrize("name", EVERY)
def test_streams_give_the_codes_and_samples_of_the_whole(name: str) -> None:
    codec, samples = small(name), signal(small(name))
    whole = codec.encode(samples, effort=0)
    rng = np.random.default_rng(1)
    encoder, decoder = codec.stream_encoder(effort=0), codec.stream_decoder(conceal=False)
    codes, start = [], 0
    while start < len(samples):
        step = int(rng.integers(1, 4000))
        codes.append(encoder.push(samples[start : start + step]))
        start += step
    codes.append(encoder.flush())
    streamed = np.concatenate(codes, axis=2)
    # Where two code vectors are equally near to within rounding, either may be taken.
    assert np.mean(streamed != whole.codes) < 0.002
    pieces = [decoder.push(piece) for piece in (whole.codes[:, :, :0], *np.array_split(whole.codes, 5, axis=2))]
    decoded = np.concatenate([*pieces, decoder.flush()], axis=1)
    assert decoded.dtype == np.float32
    at_once = codec.decode(whole).samples
    np.testing.assert_allclose(decoded[:, : at_once.shape[1]], at_once, atol=2e-4 * max(1e-3, float(np.abs(at_once).max())))


@pytest.mark.parametrize("name", EVERY)
def test_the_latency_is_no_more_than_declared(name: str) -> None:
    model = small(name).model
    if not model.streams:
        assert model.latency == float("inf")
        return
    # Of so many frames, as padding that reflects the beginning holds back the first few.
    frames = 20
    encoder, decoder = small(name).stream_encoder(effort=0), small(name).stream_decoder(conceal=False)
    codes = encoder.push(signal(small(name), 60.0)[: frames * model.hop_length + model.encoder.lookahead])
    assert codes.shape[2] >= frames
    assert decoder.push(codes).shape[1] >= codes.shape[2] * model.hop_length - model.decoder.lookahead


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("length", [1, 4999, 16_000])
def test_lengths_are_exact_and_files_hold_the_codes(name: str, length: int, tmp_path: Path) -> None:
    codec = small(name)
    tokens = codec.encode(signal(codec)[:length], effort=0)
    assert tokens.codes.shape[2] == -(-length // codec.hop_length)
    path = tmp_path / "speech.wlx"
    tokens.save(path, coding="packed")
    again = AudioTokens.load(path, codec=codec)
    np.testing.assert_array_equal(again.codes, tokens.codes)
    assert codec.decode(path).samples.shape == (codec.model.channels, length)


@pytest.mark.parametrize("name", EVERY)
def test_a_prefix_of_the_codebooks_decodes(name: str) -> None:
    codec = small(name)
    codes = codec.encode(signal(codec), effort=0).codes
    for books in {1, codec.codebooks // 2, codec.codebooks} - {0}:
        assert np.isfinite(codec.decode(codes[:, :books]).samples).all()


@pytest.mark.parametrize("name", EVERY)
def test_a_batch_gives_what_each_gives_alone(name: str) -> None:
    codec = small(name)
    clips = [signal(codec, seconds, seed) for seconds, seed in ((0.9, 1), (0.5, 2), (0.9, 3))]
    batch, alone = codec.encode_batch(clips, effort=0), [codec.encode(clip, effort=0) for clip in clips]
    for ours, theirs in zip(batch, alone, strict=True):
        assert ours.codes.shape == theirs.codes.shape
        assert np.mean(ours.codes != theirs.codes) < 0.01
    for ours, theirs in zip(codec.decode_batch(alone), (codec.decode(each) for each in alone), strict=True):
        np.testing.assert_allclose(ours.samples, theirs.samples, atol=2e-4 * max(1e-3, float(np.abs(theirs.samples).max())))


@pytest.mark.parametrize("name", EVERY)
def test_it_is_rebuilt_from_its_checkpoint(name: str, tmp_path: Path) -> None:
    codec = small(name)
    save_codec(tmp_path / "a.safetensors", codec.model, name, half=False)
    assert load_codec(tmp_path / "a.safetensors").weights_hash == codec.weights_hash


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_code_too(name: str, dtype: torch.dtype) -> None:
    codec = Codec(copy.deepcopy(small(name).model), name).to(dtype)
    samples = signal(codec, 0.4)
    assert codec.decode(codec.encode(samples, effort=0)).samples.shape[1] == len(samples)


@pytest.mark.parametrize("name", EVERY)
def test_gradients_reach_every_parameter_that_the_recipe_trains(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, preset="small").train()
    # So many that not all of them are left unquantized, where a design does that to some.
    samples = torch.from_numpy(np.stack([voice(0.3, model.sample_rate, seed) for seed in range(8)]))[:, None]
    if not model.quantizer.started:
        model.quantizer.start(model.latents(samples).detach())
    made = model(samples)
    assert made.quantized is not None
    (made.samples.square().mean() + made.quantized.loss).backward()
    without = [key for key, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.abs().sum())]
    assert not without, without


@pytest.mark.parametrize("name", EVERY)
def test_the_objectives_of_the_recipe_can_be_made(name: str) -> None:
    settings = Settings.of(DESIGNS[name].recipe())
    # Discriminators of a few channels: what is tested is that terms and options are known.
    narrow = {term: {"width": 0.02} for term in settings.terms if term in ("mpd", "mrd", "complex_mrd", "ms_stft", "msd", "spectrogram")}
    options = {term: {**settings.options.get(term, {}), **narrow.get(term, {})} for term in {**settings.options, **narrow}}
    made = make_objectives(settings.terms, small(name).model.sample_rate, options)
    assert {term for objective in made.values() for term in objective.terms} >= set(settings.terms)
