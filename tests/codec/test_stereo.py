"""A codec of two channels: what it takes for stereo, what it gives back, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import voice
from typer.testing import CliRunner

from wavelex import load
from wavelex.audio.reading import read_audio
from wavelex.audio.samples import Audio
from wavelex.cli.app import app
from wavelex.codec.checkpoint import save_codec
from wavelex.codec.codec import Codec
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.tokens.tokens import LOST

SIZE = {"sample_rate": 16_000, "strides": [4, 5], "frames": 100, "filters": 4, "dim": 12, "codebooks": 2, "size": 32, "lstm": 1}


@pytest.fixture(scope="module")
def codec() -> Codec:
    torch.manual_seed(0)
    model = build("encodec_48k", SIZE)
    with torch.no_grad():
        latents = model.latents(torch.from_numpy(stereo())[None])
        model.quantizer.start(latents.mean(2, keepdim=True) + latents.std(2, keepdim=True) * torch.randn(1, 13, 500))
    return Codec(model, "stereo")


def stereo(seconds: float = 0.7) -> np.ndarray:
    return np.stack([voice(seconds, 16_000, seed) * gain for seed, gain in ((1, 1.0), (2, 0.4))])


def test_two_channels_are_one_stream_and_come_back_as_two(codec: Codec) -> None:
    samples = stereo()
    tokens = codec.encode(samples, effort=0)
    assert tokens.codes.shape == (1, 3, -(-samples.shape[1] // 20))
    decoded = codec.decode(tokens).samples
    assert decoded.shape == samples.shape
    assert not np.allclose(decoded[0], decoded[1])
    turned = codec.encode(samples[::-1].copy(), effort=0)
    np.testing.assert_array_equal(turned.codes[:, 0], tokens.codes[:, 0])
    assert (turned.codes != tokens.codes).any()
    with torch.no_grad():
        same = codec.model.encode(torch.from_numpy(samples)[None])
    assert np.mean(same.numpy() != tokens.codes) < 0.01


def test_one_channel_is_taken_as_both(codec: Codec) -> None:
    mono = stereo()[0]
    expected = codec.encode(np.stack([mono, mono]), effort=0)
    np.testing.assert_array_equal(codec.encode(mono, effort=0).codes, expected.codes)
    made = codec.model(torch.from_numpy(mono)[None, None])
    assert made.samples.shape == (1, 1, len(mono))
    both = codec.model(torch.from_numpy(np.stack([mono, mono]))[None]).samples
    torch.testing.assert_close(made.samples, both.mean(dim=1, keepdim=True))


def test_what_is_not_stereo_is_refused(codec: Codec) -> None:
    three = np.zeros((3, 4000), np.float32)
    with pytest.raises(WavelexError, match="samples: has 3 channels, and this codec codes 2; mix it down"):
        codec.encode(three)
    with pytest.raises(WavelexError, match="has 3 channels, and this codec codes 2"):
        codec.encode_batch([stereo(), three])
    with pytest.raises(WavelexError, match="codes the channels of a signal together"):
        codec.encode(stereo(), per_channel=True)
    with pytest.raises(WavelexError, match="effort 5 listens to one channel; stereo takes 0 to 3"):
        codec.encode(stereo(), effort=5)
    with pytest.raises(WavelexError, match="a chunk of 3 channels for 1 streams"):
        codec.stream_encoder().push(three)
    with pytest.raises(ValueError, match="samples of 3 channels for a model of 2"):
        codec.model.encode(torch.zeros(1, 3, 100))


def test_streams_and_batches_give_what_the_whole_gives(codec: Codec) -> None:
    samples = stereo()
    whole = codec.encode(samples, effort=0)
    encoder = codec.stream_encoder(effort=0, streams=2)
    pieces = [encoder.push(np.concatenate([piece, piece[::-1]])) for piece in np.array_split(samples, 7, axis=1)]
    streamed = np.concatenate([*pieces, encoder.flush()], axis=2)
    np.testing.assert_array_equal(streamed[0], whole.codes[0])
    np.testing.assert_array_equal(streamed[1], codec.encode(samples[::-1].copy(), effort=0).codes[0])
    decoder = codec.stream_decoder(streams=2)
    given = np.concatenate([*(decoder.push(piece) for piece in np.array_split(streamed, 5, axis=2)), decoder.flush()], axis=1)
    assert given.shape[0] == decoder.channels == 4
    at_once = codec.decode(whole).samples
    np.testing.assert_allclose(given[:2, : samples.shape[1]], at_once, atol=1e-5)
    batch = codec.encode_batch([samples, samples[:, :5000], samples[0]], effort=0)
    np.testing.assert_array_equal(batch[0].codes, whole.codes)
    assert [item.codes.shape[2] for item in batch] == [560, 250, 560]
    back = codec.decode_batch(batch)
    np.testing.assert_allclose(back[0].samples, at_once, atol=1e-5)
    assert back[1].samples.shape == (2, 5000)


def test_lost_frames_are_silent_in_both_channels_and_leave_the_level(codec: Codec) -> None:
    codes = codec.encode(stereo(), effort=0).codes.copy()
    codes[:, :, :20] = LOST
    decoded = codec.decode(codes, conceal=False).samples
    assert not decoded[:, :400].any()
    assert decoded[:, 400:2000].any(axis=1).all()


def test_bare_codes_of_several_items_give_two_channels_each(codec: Codec) -> None:
    codes = codec.encode(stereo(), effort=0).codes
    assert codec.decode(np.concatenate([codes, codes])).samples.shape == (4, codes.shape[2] * 20)


def test_commands_write_and_read_stereo(codec: Codec, tmp_path: Path) -> None:
    save_codec(tmp_path / "stereo.safetensors", codec.model, "stereo")
    Audio(stereo(), 16_000).save(tmp_path / "in.wav")
    Audio(np.zeros((3, 4000), np.float32), 16_000).save(tmp_path / "three.wav")
    model = ["--model", str(tmp_path / "stereo.safetensors")]
    run = CliRunner().invoke
    made = run(app, ["encode", str(tmp_path / "in.wav"), "-o", str(tmp_path / "in.wlx"), "--effort", "0", *model])
    assert made.exit_code == 0, made.output
    made = run(app, ["decode", str(tmp_path / "in.wlx"), "-o", str(tmp_path / "out.wav"), *model])
    assert made.exit_code == 0, made.output
    stored = load(tmp_path / "stereo.safetensors")
    expected = stored.decode(stored.encode(tmp_path / "in.wav", effort=0)).samples
    np.testing.assert_allclose(read_audio(tmp_path / "out.wav").samples, np.clip(expected, -1, 1), atol=1e-4)
    refused = run(app, ["encode", str(tmp_path / "three.wav"), "-o", str(tmp_path / "three.wlx"), *model])
    assert refused.exit_code == 2
    assert "has 3 channels, and this codec codes 2; mix it down" in refused.output
    assert not (tmp_path / "three.wlx").exists()
