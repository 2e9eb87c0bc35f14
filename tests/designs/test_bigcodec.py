"""BigCodec: equal to the published code on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixtures import Fixture, load_fixture, relative_error
from torch import nn

from wavelex.codec.model import CodecModel
from wavelex.designs.convert import import_checkpoint
from wavelex.nn.snake import AliasFreeSnake


def imported(fixture: Fixture, tmp_path: Path) -> CodecModel:
    return import_checkpoint(fixture.checkpoint(tmp_path), fixture.header["config"]).model


def test_latents_codes_and_samples_are_the_published(tmp_path: Path) -> None:
    fixture = load_fixture("bigcodec")
    model, theirs, moved = imported(fixture, tmp_path), fixture.tensors, fixture.header["sensitivity"]
    with torch.no_grad():
        samples = theirs["input"][:, None]
        latents, codes = model.latents(samples), model.encode(samples)
        # Three times what a millionth on every weight moves them by.
        assert float((latents - theirs["latents"]).abs().max()) < 3 * moved["latents"]
        assert torch.equal(codes[:, 0], theirs["codes"][0])
        assert relative_error(model.quantizer(latents).latents, theirs["quantized"]) < 1e-5
        assert relative_error(model.quantizer.decode(codes), theirs["quantized_from_codes"]) < 1e-5
        assert relative_error(model.decode(codes), theirs["output"]) < 1e-5


def test_one_activation_is_the_published(tmp_path: Path) -> None:
    fixture = load_fixture("bigcodec")
    layer = next(layer for layer in imported(fixture, tmp_path).encoder.modules() if isinstance(layer, AliasFreeSnake))
    with torch.no_grad():
        assert relative_error(layer(fixture.tensors["activation.input"]), fixture.tensors["activation.output"]) < 1e-6


@pytest.mark.parametrize("length", [200, 2000, 2001])
def test_the_published_program_pads_a_frame_more_and_gives_these_codes(length: int, tmp_path: Path) -> None:
    """It appends 200 - length % 200 zeros; its codes of the frames that hold the signal are ours."""
    fixture = load_fixture("bigcodec")
    model, samples = imported(fixture, tmp_path), fixture.tensors["input"][:1, None, :length]
    with torch.no_grad():
        theirs = model.quantizer.encode(model.encoder.network(nn.functional.pad(samples, (0, 200 - length % 200))))
        ours = model.encode(samples)
    assert ours.shape[2] == -(-length // 200)
    assert theirs.shape[2] == length // 200 + 1
    assert torch.equal(ours, theirs[..., : ours.shape[2]])


def test_training_of_the_quantizer_is_the_published(tmp_path: Path) -> None:
    fixture = load_fixture("bigcodec")
    train = {key.removeprefix("train."): tensor for key, tensor in fixture.tensors.items() if key.startswith("train.")}
    quantizer, z = imported(fixture, tmp_path).quantizer.train(), train["z"].clone().requires_grad_()
    found = quantizer(z)
    assert torch.equal(found.codes[:, 0], train["codes"][0])
    assert relative_error(found.latents.detach(), train["quantized"]) < 1e-5
    assert float(found.loss.detach()) == pytest.approx(float(train["losses"].sum()), rel=1e-5)
    weights = torch.linspace(-1, 1, found.latents.numel()).view_as(found.latents)
    (from_quantized,) = torch.autograd.grad((found.latents * weights).sum(), z, retain_graph=True)
    assert relative_error(from_quantized, train["grad_z_from_quantized"]) < 1e-5
    from_loss, of_codebook = torch.autograd.grad(found.loss, [z, quantizer.get_parameter("layers.0.vectors")])
    assert relative_error(from_loss, train["grad_z_from_loss"]) < 1e-5
    assert relative_error(of_codebook, train["grad_codebook_from_loss"]) < 1e-5


def test_the_authors_file_and_that_of_a_training_run_are_read(tmp_path: Path) -> None:
    fixture = load_fixture("bigcodec")
    model = imported(fixture, tmp_path).state_dict()
    parts = {part: {k.partition(".")[2]: v for k, v in fixture.state.items() if k.startswith(part)} for part in ("CodecEnc", "generator")}
    torch.save(parts, tmp_path / "bigcodec.pt")
    run = {f"model.{key}": tensor for key, tensor in fixture.state.items()} | {"model.spec_discriminator.x": torch.zeros(2)}
    torch.save({"state_dict": run}, tmp_path / "last.ckpt")
    for file in ("bigcodec.pt", "last.ckpt"):
        again = import_checkpoint(tmp_path / file).model.state_dict()
        assert all(torch.equal(tensor, again[key]) for key, tensor in model.items())
