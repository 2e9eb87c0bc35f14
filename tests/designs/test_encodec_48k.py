"""EnCodec at 48 kHz, segment by segment, as its authors' code computes it on the same weights; its overlap is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from fixtures import Fixture, load_fixture, relative_error
from torch import Tensor

from wavelex.codec.model import CodecModel
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError

LENGTH, STRIDE = 12_000, 11_880
"""Samples of a published segment here, and from one to the next."""


@pytest.fixture
def published() -> Fixture:
    return load_fixture("encodec_48khz")


@pytest.fixture
def model(published: Fixture, tmp_path: Path) -> CodecModel:
    return import_checkpoint(published.checkpoint(tmp_path), published.header["config"]).model


def segments(published: Fixture) -> list[tuple[Tensor, str]]:
    """Samples of each and the ending of the names of what was made of it."""
    whole = published.tensors["input"]
    return [(whole[..., index * STRIDE : index * STRIDE + LENGTH], f"_{index}" if index else "") for index in range(3)]


def test_latents_and_codes_of_each_segment_are_those_published(published: Fixture, model: CodecModel) -> None:
    assert (model.channels, model.encoder.frames, model.codebooks) == (2, 38, 9)
    for samples, ending in segments(published):
        theirs = {name: published.tensors[name + ending] for name in ("latents", "codes", "scale", "quantized")}
        with torch.no_grad():
            latents, codes = model.latents(samples), model.encode(samples)
            assert relative_error(latents[:, 1:], theirs["latents"]) < 1e-5
            torch.testing.assert_close(10 ** ((latents[:, 0] - 96) / 20), theirs["scale"].expand(-1, latents.shape[2]), rtol=1e-5, atol=0)
            assert torch.equal(codes[:, 1:], theirs["codes"])
            decoded = model.quantizer.decode(codes)
        assert relative_error(decoded[:, 1:], theirs["quantized"]) < 1e-5
        # Half a step of 0.1 dB at most.
        assert float((decoded[:, 0] - latents[:, 0]).abs().max()) <= 0.05 + 1e-5


def test_samples_of_the_segments_at_the_published_scale_overlap_to_the_published_output(published: Fixture, model: CodecModel) -> None:
    whole = torch.zeros(1, 2, published.tensors["output"].shape[-1])
    weights = torch.zeros(whole.shape[-1])
    for index, (_, ending) in enumerate(segments(published)):
        with torch.no_grad():
            decoded = model.decoder.inner(published.tensors["quantized" + ending]) * published.tensors["scale" + ending][..., None]
        count = decoded.shape[-1]
        # A triangle that is nowhere zero, as long as a whole segment; the last one has the beginning of it.
        ramp = torch.arange(1, 38 * 320 + 1) / (38 * 320 + 1)
        weight = torch.minimum(ramp, 1 - ramp)[:count]
        place = slice(index * STRIDE, index * STRIDE + count)
        whole[..., place] += weight * decoded
        weights[place] += weight
    assert relative_error(whole / weights, published.tensors["output"]) < 1e-5


def test_a_segment_comes_back_at_its_level(published: Fixture, model: CodecModel) -> None:
    samples = segments(published)[0][0]
    with torch.no_grad():
        ours = model.decode(model.encode(samples))
        expected = model.decoder.inner(published.tensors["quantized"]) * published.tensors["scale"][..., None]
        quiet = model.decode(model.encode(samples / 100))
    # A step of 0.1 dB and half a percent are about the same.
    assert relative_error(ours, expected) < 10 ** (0.05 / 20) - 1 + 1e-4
    assert relative_error(100 * quiet, expected) < 0.007
    assert not model.decode(model.encode(torch.zeros(1, 2, 3000))).any()


def test_segments_know_nothing_of_each_other(model: CodecModel) -> None:
    torch.manual_seed(0)
    samples = torch.randn(1, 2, 2 * 38 * 320 + 1000) * torch.linspace(0.001, 0.3, 2 * 38 * 320 + 1000)
    with torch.no_grad():
        whole = model.latents(samples)
        apart = torch.cat([model.latents(samples[..., start : start + 38 * 320]) for start in (0, 38 * 320, 2 * 38 * 320)], dim=2)
    assert torch.equal(whole, apart)
    levels = whole[0, 0].reshape(-1)
    assert len(levels.unique()) == 3


def test_folders_of_transformers_give_what_transformers_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.EncodecConfig(
        sampling_rate=8000,
        audio_channels=2,
        normalize=True,
        chunk_length_s=0.5,
        overlap=0.01,
        norm_type="time_group_norm",
        use_causal_conv=False,
        num_filters=4,
        hidden_size=16,
        codebook_dim=16,
        codebook_size=64,
        target_bandwidths=[7.2],
        upsampling_ratios=[5, 4, 2],
    )
    theirs: transformers.EncodecModel = transformers.EncodecModel(config).eval()
    for name, buffer in theirs.named_buffers():
        if name.endswith(("embed", "cluster_size")):
            buffer.copy_(torch.randn_like(buffer).abs() if name.endswith("size") else 0.1 * torch.randn_like(buffer))
    theirs.save_pretrained(tmp_path)
    ours = import_checkpoint(tmp_path).model
    assert (ours.design, ours.sample_rate, ours.encoder.frames) == ("encodec_48k", 8000, 100)
    samples = torch.randn(1, 2, 4000)
    with torch.no_grad():
        encoded = theirs.encode(samples, bandwidth=7.2)
        codes = ours.encode(samples)
        assert torch.equal(codes[:, 1 : 1 + encoded.audio_codes.shape[2]], encoded.audio_codes[0])
        decoded = theirs.decode(encoded.audio_codes, encoded.audio_scales)[0]
        inner = ours.decoder.inner(ours.quantizer.inner.decode(encoded.audio_codes[0])) * encoded.audio_scales[0].reshape(1, 1, 1)
    # Up to where the next segment would begin.
    assert relative_error(inner[..., :3960], decoded[..., :3960]) < 1e-5


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"segment": "long"}, "says segments of 'long' s"),
        ({"segment": float("inf")}, "says segments of inf s"),
        ({"normalize": False}, "levels of segments are known here of two channels"),
    ],
)
def test_configurations_that_cannot_be_are_refused(published: Fixture, tmp_path: Path, config: dict[str, object], words: str) -> None:
    with pytest.raises(WavelexError, match=words):
        import_checkpoint(published.checkpoint(tmp_path), config)
