"""HiFi-Codec as its authors' code computes it, on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixtures import load_fixture, relative_error
from safetensors.torch import save_file

from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError


def test_latents_codes_and_samples_are_those_published(tmp_path: Path) -> None:
    fixture = load_fixture("hificodec")
    theirs = fixture.tensors
    # Normalised in groups of 4 channels, which its configuration has no name for.
    model = import_checkpoint(fixture.checkpoint(tmp_path), {**fixture.header["config"], "norm_channels": 4}).model
    assert model.encoder.hop_length == 320
    codes = theirs["codes"].transpose(1, 2)
    with torch.no_grad():
        # The published encoder drops samples that fill no frame, which the network does and the encoder does not.
        latents = model.encoder.network(theirs["input"][:, None])
        assert relative_error(latents, theirs["latents"]) < 1e-5
        assert torch.equal(model.quantizer.encode(latents), codes)
        assert relative_error(model.quantizer.decode(codes), theirs["quantized_from_codes"]) < 1e-5
        made = model.quantizer(latents)
        torch.testing.assert_close(made.loss, theirs["loss"])
        assert relative_error(made.latents, theirs["quantized"]) < 1e-5
        assert relative_error(model.decode(codes), theirs["output"]) < 1e-5
        whole = theirs["input"][:, : 37 * 320]
        assert torch.equal(model.encode(whole), model.quantizer.encode(model.encoder.network(whole[:, None])))
        assert model.encode(theirs["input"]).shape == (2, 4, 38)


def test_a_missing_codebook_is_refused(tmp_path: Path) -> None:
    fixture = load_fixture("hificodec")
    state = {name: tensor.contiguous() for name, tensor in fixture.state.items() if "modules2.1" not in name}
    save_file(state, tmp_path / "changed.safetensors")
    with pytest.raises(WavelexError, match=r"looks like HiFi-Codec.*quantizer_modules2\.1\.embedding\.weight is missing"):
        import_checkpoint(tmp_path / "changed.safetensors", fixture.header["config"])


def test_the_three_dictionaries_of_a_published_file_are_one_codec(tmp_path: Path) -> None:
    fixture = load_fixture("hificodec")
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in fixture.state.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    torch.save(parts, tmp_path / "HiFi-Codec.pth")
    config = {**fixture.header["config"], "norm_channels": 4}
    model = import_checkpoint(tmp_path / "HiFi-Codec.pth", config).model
    codes = fixture.tensors["codes"].transpose(1, 2)
    with torch.no_grad():
        assert relative_error(model.decode(codes), fixture.tensors["output"]) < 1e-5
