"""EnCodec as its authors' code computes it, on the same weights; and the weights under the names of transformers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from fixtures import Fixture, load_fixture, relative_error
from safetensors.torch import save_file

from wavelex.codec.model import CodecModel
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError


@pytest.fixture
def published() -> Fixture:
    return load_fixture("encodec_24khz")


def imported(fixture: Fixture, folder: Path) -> CodecModel:
    return import_checkpoint(fixture.checkpoint(folder), fixture.header["config"]).model


def test_latents_codes_and_samples_are_those_published(published: Fixture, tmp_path: Path) -> None:
    model, theirs = imported(published, tmp_path), published.tensors
    with torch.no_grad():
        assert relative_error(model.latents(theirs["input"]), theirs["latents"]) < 1e-5
        assert torch.equal(model.encode(theirs["input"]), theirs["codes"])
        assert torch.equal(model.encode(theirs["input"], num_codebooks=2), theirs["codes_low"])
        assert relative_error(model.quantizer.decode(theirs["codes"]), theirs["quantized"]) < 1e-5
        assert relative_error(model.decode(theirs["codes"]), theirs["output"]) < 1e-5
        low = model.decode(theirs["codes_low"])[..., : theirs["input"].shape[-1]]
    assert relative_error(low, theirs["output_low"]) < 1e-5


def test_codebooks_are_those_published_bit_for_bit(published: Fixture, tmp_path: Path) -> None:
    model = imported(published, tmp_path)
    for index, book in enumerate(model.quantizer.codebooks):
        assert torch.equal(book.vectors, published.state[f"quantizer.vq.layers.{index}._codebook.embed"])
        assert torch.equal(model.quantizer.usage()[index].log2().frac(), torch.zeros(64))
    assert model.quantizer.started


def test_training_gives_the_published_codes_and_gradient(published: Fixture, tmp_path: Path) -> None:
    """The losses too. Not the gradient of the later ones, which the published code loses, and the averages are the corrected ones."""
    theirs = published.tensors
    quantizer = imported(published, tmp_path).quantizer.train()
    latents = theirs["train.latents"].clone().requires_grad_(True)
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    made = quantizer(latents, 4)
    assert torch.equal(made.codes, theirs["train.codes"].transpose(0, 1))
    assert relative_error(made.latents.detach(), theirs["train.quantized"]) < 1e-5
    torch.testing.assert_close(made.loss, theirs["train.losses"].mean(), rtol=1e-5, atol=0)
    made.latents.backward(torch.linspace(-1, 1, latents.numel()).view_as(latents), retain_graph=True)
    torch.testing.assert_close(latents.grad, theirs["train.grad_latents_from_quantized"])
    rows = latents.detach().transpose(1, 2).reshape(-1, 24)
    for index in range(4):
        codes = made.codes[:, index].flatten()
        hits = torch.nn.functional.one_hot(codes, 64).float()
        book, old = quantizer.codebooks[index], before[f"layers.{index}.total"] / before[f"layers.{index}.usage"][:, None]
        assert torch.allclose(book.usage, 0.99 * before[f"layers.{index}.usage"] + 0.01 * hits.sum(0))
        expected = (0.99 * before[f"layers.{index}.total"] + 0.01 * hits.T @ rows) / book.usage[:, None]
        torch.testing.assert_close(book.vectors, expected, rtol=1e-4, atol=1e-5)
        rows = rows - old[codes]


def published_by_transformers(folder: Path) -> transformers.EncodecModel:
    """A small model with random weights, saved as published models are."""
    torch.manual_seed(0)
    config = transformers.EncodecConfig(
        num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=64, target_bandwidths=[7.2, 14.4], upsampling_ratios=[5, 4, 2]
    )
    model: transformers.EncodecModel = transformers.EncodecModel(config).eval()
    for name, buffer in model.named_buffers():
        if name.endswith(("embed", "cluster_size")):
            buffer.copy_(torch.randn_like(buffer).abs() if name.endswith("size") else 0.1 * torch.randn_like(buffer))
    model.save_pretrained(folder)
    return model


def test_folders_of_transformers_give_what_transformers_gives(tmp_path: Path) -> None:
    theirs = published_by_transformers(tmp_path)
    model = import_checkpoint(tmp_path).model
    assert model.encoder.hop_length == 40
    samples = torch.randn(2, 1, 4321)
    with torch.no_grad():
        encoded = theirs.encode(samples, bandwidth=theirs.config.target_bandwidths[-1])
        codes = encoded.audio_codes[0]
        decoded = theirs.decode(encoded.audio_codes, encoded.audio_scales)[0]
        assert torch.equal(model.encode(samples, num_codebooks=codes.shape[1]), codes)
        assert relative_error(model.decode(codes), decoded) < 1e-5


def test_a_checkpoint_with_something_missing_left_over_or_unknown_is_refused(published: Fixture, tmp_path: Path) -> None:
    for change, config, message in (
        ({"quantizer.vq.layers.3._codebook.inited": None}, {}, "layers.3._codebook.inited is missing"),
        ({"encoder.model.15.extra": torch.zeros(1)}, {}, "left over: encoder.model.15.extra"),
        ({"decoder.model.4.block.1.conv.conv.bias": torch.zeros(3)}, {}, "is (3,), where design encodec_24k has (12,)"),
        ({}, {"trim_right_ratio": 0.5}, "trim_right_ratio of 0.5"),
        ({}, {"normalize": True}, "levels of segments are known here of two channels, and of two channels alone"),
    ):
        state = {name: tensor.contiguous() for name, tensor in {**published.state, **change}.items() if tensor is not None}
        save_file(state, tmp_path / "changed.safetensors")
        with pytest.raises(WavelexError, match=r"looks like EnCodec") as refused:
            import_checkpoint(tmp_path / "changed.safetensors", config)
        assert message in str(refused.value)
