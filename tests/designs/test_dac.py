"""DAC: equal to the published code on the same weights, by both of its names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixtures import Fixture, load_fixture, relative_error
from torch import Tensor
from transformers import DacConfig, DacModel

from wavelex.codec.model import CodecModel
from wavelex.designs.convert import import_checkpoint
from wavelex.quantizers.factorised import FactorisedVQ

NAMES = ("dac_24khz", "dac_44khz")


def imported(fixture: Fixture, tmp_path: Path) -> CodecModel:
    return import_checkpoint(fixture.checkpoint(tmp_path), fixture.header["config"]).model


@pytest.mark.parametrize("name", NAMES)
def test_latents_codes_and_samples_are_the_published(name: str, tmp_path: Path) -> None:
    fixture = load_fixture(name)
    model, theirs = imported(fixture, tmp_path), fixture.tensors
    with torch.no_grad():
        latents = model.latents(theirs["input"])
        assert relative_error(latents, theirs["latents"]) < 1e-5
        assert torch.equal(model.encode(theirs["input"]), theirs["codes"])
        assert torch.equal(model.encode(theirs["input"], num_codebooks=2), theirs["codes_2"])
        assert relative_error(model.quantizer(latents).latents, theirs["quantized"]) < 1e-5
        assert relative_error(model.quantizer.decode(theirs["codes"]), theirs["quantized_from_codes"]) < 1e-5
        assert relative_error(model(theirs["input"]).samples, theirs["output"]) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_samples_that_odd_strides_leave_out_are_silent(name: str, tmp_path: Path) -> None:
    fixture = load_fixture(name)
    model, length, last = imported(fixture, tmp_path), int(fixture.tensors["decoded_length"]), fixture.tensors["decoded"]
    with torch.no_grad():
        decoded = model.decode(fixture.tensors["codes"])
    assert decoded.shape[-1] == fixture.tensors["codes"].shape[2] * model.hop_length >= length
    assert relative_error(decoded[..., length - last.shape[-1] : length], last) < 1e-5
    assert not decoded[..., length:].any()


@pytest.mark.parametrize("name", NAMES)
def test_training_of_the_quantizer_is_the_published(name: str, tmp_path: Path) -> None:
    """Losses and gradients with the published draw of quantizer dropout; half of the items keep all codebooks."""
    fixture = load_fixture(name)
    train = {key.removeprefix("train."): tensor for key, tensor in fixture.tensors.items() if key.startswith("train.")}
    quantizer = imported(fixture, tmp_path).quantizer.train()
    assert isinstance(quantizer, FactorisedVQ)
    limits = torch.full((len(train["z"]),), len(quantizer.codebooks))
    limits[: len(limits) // 2] = train["dropout_draw"][: len(limits) // 2]

    def run(commitment: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        quantizer.commitment = commitment
        z = train["z"].clone().requires_grad_()
        found = quantizer(z, limits)
        return z, found.latents, found.codes, found.loss

    z, latents, codes, codebook_loss = run(0.0)
    used = torch.arange(codes.shape[1]) < limits[:, None]
    assert torch.equal(codes[used], train["codes"][used])
    assert (codes[~used] == -1).all()
    assert relative_error(latents.detach(), train["quantized"]) < 1e-5
    assert float(codebook_loss.detach()) == pytest.approx(float(train["codebook_loss"]), rel=1e-5)
    (latents * torch.linspace(-1, 1, latents.numel()).view_as(latents)).sum().backward(retain_graph=True)
    assert z.grad is not None
    assert relative_error(z.grad, train["grad_z_from_quantized"]) < 1e-4
    quantizer.zero_grad()
    codebook_loss.backward()
    grad = quantizer.codebooks[0].vectors.grad
    assert grad is not None
    assert relative_error(grad, train["grad_codebook0_from_codebook_loss"]) < 1e-5
    z, _, _, both = run(1.0)
    assert float((both - codebook_loss).detach()) == pytest.approx(float(train["commitment_loss"]), rel=1e-4)
    # What the codes' side gives latents passes later layers' inputs only, so it is taken off.
    (from_both,) = torch.autograd.grad(both, z)
    z, _, _, alone = run(0.0)
    (from_codes,) = torch.autograd.grad(alone, z, allow_unused=True)
    found = from_both if from_codes is None else from_both - from_codes
    assert relative_error(found, train["grad_z_from_commitment"]) < 1e-4


def test_a_package_of_audiotools_is_read(tmp_path: Path) -> None:
    fixture = load_fixture("dac_24khz")
    model = imported(fixture, tmp_path)
    torch.save({"state_dict": fixture.state, "metadata": {"kwargs": fixture.header["config"]}}, tmp_path / "weights.pth")
    again = import_checkpoint(tmp_path / "weights.pth").model
    assert again.sample_rate == 24_000
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))


def test_transformers_names_are_known(tmp_path: Path) -> None:
    config = {
        "encoder_hidden_size": 3,
        "decoder_hidden_size": 48,
        "downsampling_ratios": [2, 4, 5, 8],
        "n_codebooks": 3,
        "codebook_size": 16,
    }
    theirs = DacModel(DacConfig(**config, sampling_rate=24_000)).eval()
    theirs.save_pretrained(tmp_path)
    ours, samples = import_checkpoint(tmp_path).model, torch.randn(2, 1, 3200)
    assert (ours.design, ours.sample_rate) == ("dac_24k", 24_000)
    with torch.no_grad():
        published = theirs(samples)
        assert torch.equal(ours.encode(samples), published.audio_codes)
        assert relative_error(ours(samples).samples[:, 0, : published.audio_values.shape[-1]], published.audio_values) < 1e-5
