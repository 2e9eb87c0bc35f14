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
from wavelex.codec.hub import load
from wavelex.errors import WavelexError
from wavelex.models import shipped_models


def test_a_codec_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    codec = make_codec()
    save_codec(tmp_path / "a.safetensors", codec.model, "tiny", {"hours": 3.5}, half=False)
    again = load_codec(tmp_path / "a.safetensors")
    assert (again.name, again.model.design, again.model.arguments, again.notes) == ("tiny", "speech_16k", TINY, {"hours": 3.5})
    assert np.array_equal(again.encode(voice(1)).codes, codec.encode(voice(1)).codes)
    assert not again.model.training


def test_half_precision_is_stable_under_saving_again(tmp_path: Path) -> None:
    save_codec(tmp_path / "a.safetensors", make_codec().model, "tiny")
    first = load_codec(tmp_path / "a.safetensors")
    save_codec(tmp_path / "b.safetensors", first.model, "tiny")
    assert load_codec(tmp_path / "b.safetensors").weights_hash == first.weights_hash


def test_the_hash_tells_weights_apart(tmp_path: Path) -> None:
    codec = make_codec()
    save_codec(tmp_path / "a.safetensors", codec.model, "tiny")
    with torch.no_grad():
        next(codec.model.parameters()).add_(0.01)
    save_codec(tmp_path / "b.safetensors", codec.model, "tiny")
    assert load_codec(tmp_path / "a.safetensors").weights_hash != load_codec(tmp_path / "b.safetensors").weights_hash


def write(path: Path, **changes: str) -> Path:
    codec = make_codec()
    save_codec(path, codec.model, "tiny")
    header, tensors = read_tensors(path)
    save_file(tensors, path, metadata={**header, **changes})
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": "os.system"}, "unknown design 'os.system'; this version knows .*speech_16k"),
        ({"arguments": json.dumps({"no_such": 1})}, "cannot be built with"),
        ({"arguments": json.dumps({**TINY, "dim": 13})}, "the weights do not fit"),
        ({"arguments": "not json"}, "its header is incomplete"),
        ({"format": "wavelex-codec-99"}, "not a codec checkpoint of this version"),
        ({"arguments": "[1, 2]"}, "must be JSON objects"),
        ({"arguments": "3"}, "must be JSON objects"),
        ({"notes": '"text"'}, "must be JSON objects"),
        ({"arguments": "[" * 5000 + "]" * 5000}, "its header is incomplete"),
        ({"arguments": '{"dim": NaN}'}, "cannot be built with"),
        ({"arguments": '{"dim": -1}'}, "cannot be built with"),
        ({"arguments": '{"dim": "x"}'}, "cannot be built with"),
        ({"arguments": '{"dim": 1e30}'}, "cannot be built with"),
        ({"name": "a\x1b[31m"}, "cannot be printed"),
    ],
)
def test_checkpoints_that_cannot_be_used_say_why(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    path = write(tmp_path / "a.safetensors", **changes)
    with pytest.raises(WavelexError, match=words) as caught:
        load_codec(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("argument", ["dim", "encoder_hidden", "decoder_width"])
def test_a_header_that_asks_for_memory_gets_none(tmp_path: Path, argument: str) -> None:
    path = write(tmp_path / "a.safetensors", arguments=json.dumps({**TINY, argument: 10**9}))
    with pytest.raises(WavelexError, match=f"its header asks for {argument} 1000000000"):
        load_codec(path)


def test_weights_that_are_not_finite_or_of_another_type_are_refused(tmp_path: Path) -> None:
    header, tensors = read_tensors(write(tmp_path / "a.safetensors"))
    name = next(key for key, value in tensors.items() if value.is_floating_point())
    for value, words in ((tensors[name] * float("nan"), "NaN or infinite"), (tensors[name].to(torch.int32), "expected")):
        save_file({**tensors, name: value}, tmp_path / "b.safetensors", metadata=header)
        with pytest.raises(WavelexError, match=words):
            load_codec(tmp_path / "b.safetensors")
    save_file({**tensors, name: tensors[name].bfloat16()}, tmp_path / "c.safetensors", metadata=header)
    assert load_codec(tmp_path / "c.safetensors").model.device.type == "cpu"


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
    with pytest.raises(WavelexError, match=r"holds none of best\.safetensors"):
        load(tmp_path)
