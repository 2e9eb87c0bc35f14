"""VibeVoice's acoustic tokenizer here is the one there: the same weights give the same latents and samples."""

from __future__ import annotations

from pathlib import Path

import torch
from fixtures import load_fixture
from torch import Tensor

from wavelex.designs.convert import import_checkpoint


def assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)


def test_latents_and_samples_are_those_of_the_published_code(tmp_path: Path) -> None:
    fixture = load_fixture("vibevoice_hf")
    model, published = import_checkpoint(fixture.checkpoint(tmp_path), fixture.header["config"]).model, fixture.tensors
    with torch.no_grad():
        for name in ("", "_odd"):
            latents, samples = published[f"latents{name}"].transpose(1, 2), published[f"input{name}"]
            found = model.latents(samples)
            # The published code drops what fills no frame.
            assert found.shape[2] == -(-samples.shape[2] // model.hop_length)
            assert_near(found[..., : samples.shape[2] // model.hop_length], latents)
            assert_near(model.synthesize(latents), published[f"output{name}"])
