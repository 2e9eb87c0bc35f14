"""Weights: exact rebuilds, and every kind of wrong file in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, make_codec, voice
from safetensors.torch import save_file

from wavelex.codec.checkpoint import load_codec, read_tensors, save_codec
from wavelex.codec.hub import load, shipped_models
from wavelex.errors import WavelexError


def test_a_codec_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    codec = make_codec()
    save_codec(tmp_path / "a.safetensors", codec, "tiny", {"hours": 3.5}, half=False)
    again = load_codec(tmp_path / "a.safetensors")
    assert (again.name, again.design, again.arguments, again.notes) == ("tiny", "speech_16k", TINY, {"hours": 3.5})
    assert np.array_equal(again.encode(voice(1)).codes, codec.encode(voice(1)).codes)
    assert not again.training


def test_half_precision_is_stable_under_saving_again(tmp_path: Path) -> None:
    save_codec(tmp_path / "a.safetensors", make_codec(), "tiny")
    first = load_codec(tmp_path / "a.safetensors")
    save_codec(tmp_path / "b.safetensors", first, "tiny")
    assert load_codec(tmp_path / "b.safetensors").weights_hash == first.weights_hash


def test_the_hash_tells_weights_apart(tmp_path: Path) -> None:
    codec = make_codec()
    save_codec(tmp_path / "a.safetensors", codec, "tiny")
    with torch.no_grad():
        next(codec.parameters()).add_(0.01)
    save_codec(tmp_path / "b.safetensors", codec, "tiny")
    assert load_codec(tmp_path / "a.safetensors").weights_hash != load_codec(tmp_path / "b.safetensors").weights_hash


def write(path: Path, **changes: str) -> Path:
    codec = make_codec()
    save_codec(path, codec, "tiny")
    header, tensors = read_tensors(path)
    save_file(tensors, path, metadata={**header, **changes})
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": "os.system"}, "unknown design 'os.system'; this version knows speech_16k"),
        ({"arguments": json.dumps({"no_such": 1})}, "cannot be built with"),
        ({"arguments": json.dumps({**TINY, "dim": 13})}, "the weights do not fit"),
        ({"arguments": "not json"}, "its header is incomplete"),
        ({"format": "wavelex-codec-99"}, "not a codec checkpoint of this version"),
    ],
)
def test_checkpoints_that_cannot_be_used_say_why(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    path = write(tmp_path / "a.safetensors", **changes)
    with pytest.raises(WavelexError, match=words) as caught:
        load_codec(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_checkpoints_say_so(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match="no such checkpoint"):
        load_codec(tmp_path / "none.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(WavelexError, match="not a safetensors checkpoint, or damaged"):
        load_codec(tmp_path / "a.safetensors")
    whole = write(tmp_path / "b.safetensors").read_bytes()
    (tmp_path / "b.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WavelexError, match="damaged"):
        load_codec(tmp_path / "b.safetensors")


def test_models_are_found_by_name_path_and_folder(tmp_path: Path) -> None:
    assert "speech-16k" in shipped_models()
    write(tmp_path / "best.safetensors")
    assert load(tmp_path).name == load(tmp_path / "best.safetensors").name == "tiny"
    with pytest.raises(WavelexError, match="shipped are speech-16k"):
        load("no-such-model")
    (tmp_path / "best.safetensors").unlink()
    with pytest.raises(WavelexError, match=r"holds no best\.safetensors"):
        load(tmp_path)
