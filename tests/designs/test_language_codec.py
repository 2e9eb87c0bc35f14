"""Language-Codec and WavTokenizer are the published ones, on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import voice
from fixtures import Fixture, load_fixture, relative_error
from torch import Tensor

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.model import CodecModel
from wavelex.designs import build, recipe
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError
from wavelex.quantizers.codebook import Codebook
from wavelex.training.data import PackedAudio
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer

TOLERANCE = 1e-5
DESIGNS = {"languagecodec": "language_codec", "wavtokenizer_75": "wavtokenizer_75", "wavtokenizer_40": "wavtokenizer_40"}


def published(name: str, folder: Path) -> tuple[Fixture, CodecModel]:
    """With the row of the adaptive norms that the fixture was made with."""
    fixture = load_fixture(name)
    config = {**fixture.header["config"], "bandwidth_id": int(fixture.tensors["bandwidth_id"])}
    return fixture, import_checkpoint(fixture.checkpoint(folder), config).model


def codes_of(tensor: Tensor) -> Tensor:
    """Published are (codebooks, batch, frames)."""
    return tensor.transpose(0, 1)


@pytest.mark.parametrize("name", DESIGNS)
def test_it_is_the_published_codec(name: str, tmp_path: Path) -> None:
    fixture, model = published(name, tmp_path)
    assert model.design == DESIGNS[name]
    theirs, samples = fixture.tensors, fixture.tensors["input"]
    samples = samples.reshape(len(samples), 1, -1)
    with torch.no_grad():
        latents = model.latents(samples)
        codes = model.encode(samples)
        output = model.decode(codes_of(theirs["codes"]))[:, 0]
        quantized = model.quantizer.decode(codes)
    assert relative_error(latents, theirs["latents"]) < TOLERANCE
    assert torch.equal(codes, codes_of(theirs["codes"]))
    assert relative_error(quantized, theirs["features_from_codes"]) < TOLERANCE
    assert relative_error(output, theirs["output"].reshape(output.shape)) < TOLERANCE


def test_prefixes_decode_as_published_and_codes_of_the_wrong_order_are_not_made(tmp_path: Path) -> None:
    fixture, model = published("languagecodec", tmp_path)
    codes = codes_of(fixture.tensors["codes"])
    for count in (3, 4):
        assert relative_error(model.quantizer.decode(codes[:, :count]), fixture.tensors[f"quantized_{count}"]) < TOLERANCE
    assert not torch.equal(codes, codes_of(fixture.tensors["codes_published_encode"]))


@pytest.mark.parametrize("count", [4, 8])
def test_a_step_of_training_is_the_published_one_but_for_the_gradient(count: int, tmp_path: Path) -> None:
    fixture, model = published("languagecodec", tmp_path)
    theirs = fixture.tensors
    latents = theirs["train.latents"].requires_grad_()
    quantizer = model.quantizer.train()
    quantized = quantizer(latents, count)
    assert torch.equal(quantized.codes, codes_of(theirs[f"train.{count}.codes"]))
    assert relative_error(quantized.latents.detach(), theirs[f"train.{count}.quantized"]) < TOLERANCE
    assert quantized.loss.item() == pytest.approx(float(theirs[f"train.{count}.losses"].mean()), rel=1e-5)
    weights = torch.linspace(-1, 1, latents.numel()).view_as(latents)
    (gradient,) = torch.autograd.grad((quantized.latents * weights).sum(), latents, retain_graph=True)
    torch.testing.assert_close(gradient, weights)
    torch.testing.assert_close(theirs[f"train.{count}.grad_latents_from_quantized"], (count - 2) * weights, atol=1e-6, rtol=1e-5)
    (gradient,) = torch.autograd.grad(quantized.loss, latents)
    assert relative_error(gradient, theirs[f"train.{count}.grad_latents_from_commit"]) < 1e-4


def test_a_step_of_training_of_one_codebook_is_the_published_one(tmp_path: Path) -> None:
    fixture, model = published("wavtokenizer_75", tmp_path)
    theirs = fixture.tensors
    latents = theirs["train.latents"].requires_grad_()
    quantized = model.quantizer.train()(latents)
    assert torch.equal(quantized.codes, codes_of(theirs["train.codes"]))
    assert quantized.loss.item() == pytest.approx(float(theirs["train.losses"]), rel=1e-5)
    weights = torch.linspace(-1, 1, latents.numel()).view_as(latents)
    (gradient,) = torch.autograd.grad((quantized.latents * weights).sum(), latents, retain_graph=True)
    assert relative_error(gradient, theirs["train.grad_latents_from_quantized"]) < TOLERANCE
    (gradient,) = torch.autograd.grad(quantized.loss, latents)
    assert relative_error(gradient, theirs["train.grad_latents_from_commit"]) < 1e-4


@pytest.mark.parametrize("layer", [0, 2])
def test_codebooks_follow_the_published_averages(layer: int, tmp_path: Path) -> None:
    """Of layers that see a share of the channels; the released code also smooths the counts, which hardly shows."""
    fixture, model = published("languagecodec", tmp_path)
    theirs, state = fixture.tensors, f"feature_extractor.encodec.quantizer.vq.layers.{layer}._codebook"
    mask = model.quantizer.channel_mask(layer)
    inputs = (theirs["train.latents"] * mask[:, None]).transpose(1, 2).flatten(0, 1)
    book = Codebook(*fixture.state[f"{state}.embed"].shape)
    book.usage.copy_(fixture.state[f"{state}.cluster_size"])
    book.total.copy_(fixture.state[f"{state}.embed_avg"])
    book.learn(inputs, theirs["train.8.codes"][layer].flatten())
    after = f"train.8.after.layers.{layer}"
    assert relative_error(book.usage, theirs[f"{after}.cluster_size"]) < TOLERANCE
    assert relative_error(book.total, theirs[f"{after}.embed_avg"]) < TOLERANCE
    assert relative_error(book.vectors, theirs[f"{after}.embed"]) < 1e-4


def test_discriminators_in_a_checkpoint_are_left_out_and_nothing_else(tmp_path: Path) -> None:
    fixture = load_fixture("languagecodec")
    beside = ("multiperioddisc", "multiresddisc", "dac", "dacdiscriminator", "melspec_loss")
    run = {f"{name}.layer.weight": torch.zeros(2) for name in beside}
    torch.save({"state_dict": {**fixture.state, **run}, "optimizer_states": [], "hyper_parameters": {}}, tmp_path / "run.ckpt")
    assert import_checkpoint(tmp_path / "run.ckpt").model.design == "language_codec"
    torch.save({"state_dict": {**fixture.state, "backbone.other": torch.zeros(2)}}, tmp_path / "other.ckpt")
    with pytest.raises(WavelexError, match=r"1 tensors are left over: backbone\.other"):
        import_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(WavelexError, match="bandwidth_id is 4; choose from 0 to 3"):
        import_checkpoint(tmp_path / "run.ckpt", {"bandwidth_id": 4})


def test_every_discriminator_of_the_recipe_learns(tmp_path: Path) -> None:
    """In the released code that of complex spectra is left out of the optimizer."""
    for index in range(2):
        write_audio(tmp_path / f"{index}.wav", Audio(voice(2, seed=index)[None], 16_000))
    audio = PackedAudio(sorted(tmp_path.glob("*.wav")), 16_000, tmp_path / "cache", lambda done: None)
    told = recipe("language_codec")
    options = {**told.options, "mpd": {"width": 0.05}, "mrd": {"width": 0.1}, "complex_mrd": {**told.options["complex_mrd"], "width": 0.1}}
    numbers = {**told.settings, "batch": 2, "segment_seconds": 0.25, "kmeans_batches": 2, "precision": "float32"}
    tiny = {"filters": 4, "size": 16, "width": 32, "hidden": 32, "blocks": 2}
    torch.manual_seed(0)
    trainer = Trainer(build("language_codec", tiny, preset="small"), Settings(told.stages, options, **numbers), audio, torch.device("cpu"))
    assert set(trainer.critic_optimizers) == {"mpd", "mrd", "complex_mrd"}
    losses = trainer.step()
    assert set(told.stages[0].objectives) <= set(losses)
    for name, optimizer in trainer.critic_optimizers.items():
        learning = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for critic in trainer.objectives[name].critics():
            for key, parameter in critic.named_parameters():
                assert id(parameter) in learning, key
                # Within the margin of the hinge real and fake pull a bias equally hard in opposite directions.
                assert parameter.grad is not None and (parameter.ndim == 1 or float(parameter.grad.abs().max()) > 0), (name, key)
