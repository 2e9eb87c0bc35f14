"""SNAC: equal to the published code on the same weights, its noise aside and then with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixtures import Fixture, load_fixture, relative_error
from torch import Tensor

from wavelex.codec.model import CodecModel, unstacked
from wavelex.decoders.base import Condition
from wavelex.designs import build
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError
from wavelex.nn.noise import ScaledNoise

NAMES = ("snac_24khz", "snac_44khz")


def imported(fixture: Fixture, tmp_path: Path, **config: object) -> CodecModel:
    return import_checkpoint(fixture.checkpoint(tmp_path), {**fixture.header["config"], **config}).model


def their_codes(fixture: Fixture, model: CodecModel) -> Tensor:
    layout = model.quantizer.layout
    return layout.join({track.name: fixture.tensors[f"codes.{i}"][:, None] for i, track in enumerate(layout.tracks)})


@pytest.mark.parametrize("name", NAMES)
def test_latents_and_codes_are_the_published(name: str, tmp_path: Path) -> None:
    fixture = load_fixture(name)
    model, theirs = imported(fixture, tmp_path), fixture.tensors
    with torch.no_grad():
        latents = model.latents(theirs["input"])
        assert relative_error(unstacked(latents, model.superframe), theirs["latents"]) < 1e-5
        codes = model.encode(theirs["input"])
        assert codes.shape[2] * model.hop_length == int(theirs["padded_length"])
        assert torch.equal(codes, their_codes(fixture, model))
        quantized = unstacked(model.quantizer(latents).latents, model.superframe)
        assert relative_error(quantized, theirs["quantized"]) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_without_noise_the_samples_are_the_published(name: str, tmp_path: Path) -> None:
    fixture = load_fixture(name)
    model = imported(fixture, tmp_path, noise=False)
    with torch.no_grad():
        decoded = model.decode(their_codes(fixture, model))
    # Three times what a millionth on every weight moves them by.
    assert float((decoded - fixture.tensors["output_noise_off"]).abs().max()) < 3 * fixture.header["sensitivity"]["output_noise_off"]


@pytest.mark.parametrize("name", NAMES)
def test_with_the_noise_that_was_drawn_the_samples_are_the_published(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = load_fixture(name)
    model = imported(fixture, tmp_path)
    layers = [layer for layer in model.decoder.modules() if isinstance(layer, ScaledNoise)]
    assert len(layers) == 4
    for index, layer in enumerate(layers):
        drawn = fixture.tensors[f"noise.{index}"]
        monkeypatch.setattr(layer, "draw", lambda seed, place, count, like, drawn=drawn: drawn[..., place : place + count])
    with torch.no_grad():
        decoded = model.decode(their_codes(fixture, model))
    assert float((decoded - fixture.tensors["output"]).abs().max()) < 3 * fixture.header["sensitivity"]["output"]


def test_the_noise_is_that_of_the_seed() -> None:
    torch.manual_seed(0)
    model = build("snac_24k", preset="small").eval()
    codes = torch.randint(0, 4096, (1, model.codebooks, 3))
    with torch.no_grad():
        first, again, other = (model.decode(codes, Condition(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_other_rotary_rates_are_refused(tmp_path: Path) -> None:
    fixture = load_fixture("snac_44khz")
    fixture.state["decoder.model.2.rel_pos.inv_freq"] *= 2
    with pytest.raises(WavelexError, match="rotary rates"):
        imported(fixture, tmp_path)
