"""Codecs that this version has no parts for are named, not called unknown."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fixtures import load_fixture
from safetensors.torch import save_file

from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError

CODECS = {"xcodec_hf": "X-Codec", "higgs_v2_hf": "Higgs Audio V2", "xcodec2_hf": "X-Codec-2", "neucodec_hf": "NeuCodec"}


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_with_a_semantic_encoder_is_named_by_its_tensors(name: str, tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match=rf"published\.safetensors: {CODECS[name]} needs a semantic encoder") as caught:
        import_checkpoint(load_fixture(name).checkpoint(tmp_path))
    assert "\n" not in str(caught.value)


def test_its_configuration_is_enough(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "neucodec"}', encoding="utf-8")
    with pytest.raises(WavelexError, match="NeuCodec needs a semantic encoder"):
        import_checkpoint(tmp_path)
