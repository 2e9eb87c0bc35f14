"""Pocket TTS's audio tokenizer here is the one there: the same weights give the same latents and samples."""

from __future__ import annotations

from pathlib import Path

import torch
from fixtures import load_fixture
from torch import Tensor

from wavelex.designs.convert import import_checkpoint


def assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)


def test_latents_and_samples_are_those_of_the_published_code(tmp_path: Path) -> None:
    fixture = load_fixture("pocket_tts_hf")
    model, published = import_checkpoint(fixture.checkpoint(tmp_path), fixture.header["config"]).model, fixture.tensors
    latents = published["latents"].transpose(1, 2)
    with torch.no_grad():
        assert_near(model.latents(published["input"]), latents)
        assert_near(model.synthesize(latents), published["output"])


def test_codes_stand_for_the_latents_once_the_quantizer_knows_their_spread(tmp_path: Path) -> None:
    fixture = load_fixture("pocket_tts_hf")
    model, samples = import_checkpoint(fixture.checkpoint(tmp_path), fixture.header["config"]).model, fixture.tensors["input"]
    with torch.no_grad():
        latents = model.latents(samples)
        assert not model.quantizer.started
        model.quantizer.start(latents)
        decoded = model.quantizer.decode(model.encode(samples))
        spread = latents.square().mean((0, 2), keepdim=True).sqrt()
        assert ((decoded - latents).abs() <= spread * 4 / 64 * 1.001).all()
