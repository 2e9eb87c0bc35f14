"""`wavelex designs` and `wavelex convert`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from command import CommandLine
from conftest import voice
from safetensors.torch import save_file

from wavelex import Audio, load
from wavelex.codec.checkpoint import read_tensors
from wavelex.designs import DESIGNS


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capfd)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A small codec of transformers with random weights, as it is published: a folder."""
    torch.manual_seed(0)
    config = transformers.EncodecConfig(
        num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=64, target_bandwidths=[7.2], upsampling_ratios=[5, 4, 2]
    )
    model = transformers.EncodecModel(config)
    for name, buffer in model.named_buffers():
        if name.endswith("embed"):
            buffer.copy_(torch.randn_like(buffer))
        elif name.endswith("cluster_size"):
            buffer.fill_(3.0)
    folder = tmp_path / "published"
    model.save_pretrained(folder)
    return folder


def test_designs_are_listed_with_what_the_model_itself_says(run: CommandLine) -> None:
    listed = json.loads(run("designs", "--json").out)
    assert [row["design"] for row in listed] == list(DESIGNS)
    encodec = next(row for row in listed if row["design"] == "encodec_24k")
    assert encodec["frame_rate"] == 75 and encodec["streams"] and encodec["lookahead_ms"] == 0
    assert encodec["bits_per_second"] == 32 * 750
    table = run("designs").out
    assert all(name in table for name in DESIGNS)


def test_one_design_shows_its_card(run: CommandLine) -> None:
    told = run("designs", "encodec_24k").out
    assert "2210.13438" in told and DESIGNS["encodec_24k"].card.deviations[0] in told
    refused = run("designs", "no_such")
    assert refused.code == 2 and "unknown design 'no_such'" in refused.err and refused.err.count("\n") == 1


def test_a_published_folder_becomes_a_codec(run: CommandLine, published: Path, tmp_path: Path) -> None:
    result = run("convert", published, "-o", tmp_path / "mine.safetensors")
    assert result.code == 0 and "EnCodec" in result.out and "MIT" in result.out
    codec, direct = load(tmp_path / "mine.safetensors"), load(published)
    assert codec.weights_hash == direct.weights_hash
    assert codec.name == "mine" and "MIT" in codec.notes["licence of the weights"]
    assert "MIT" in json.loads(read_tensors(tmp_path / "mine.safetensors")[0]["notes"])["licence of the weights"]
    again = run("convert", published, "-o", tmp_path / "mine.safetensors")
    assert again.code == 2 and "--force overwrites" in again.err
    assert run("convert", published, "-o", tmp_path / "mine.safetensors", "--force").code == 0
    itself = published / "model.safetensors"
    assert run("convert", itself, "-o", itself, "--force").code == 2
    Audio(voice(1.0)[None], 16_000).save(tmp_path / "me.wav")
    assert run("encode", tmp_path / "me.wav", "-m", published).code == 0
    assert run("decode", tmp_path / "me.wlx", "-m", tmp_path / "mine.safetensors").code == 0


def test_what_cannot_be_converted_leaves_nothing(run: CommandLine, published: Path, tmp_path: Path) -> None:
    refused = run("convert", tmp_path / "none.pt", "-o", tmp_path / "mine.safetensors")
    assert refused.code == 2 and "no such checkpoint" in refused.err
    (published / "model.safetensors").write_bytes((published / "model.safetensors").read_bytes()[:-100])
    refused = run("convert", published, "-o", tmp_path / "mine.safetensors")
    assert refused.code == 2 and "damaged" in refused.err and refused.err.count("\n") == 1
    assert not (tmp_path / "mine.safetensors").exists()
    run_out = run("convert", published, "-o", tmp_path / "mine.safetensors").err
    assert "Traceback" not in run_out


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{}", "the encoder is not in it"),
        ('{"encodec": "nowhere.th"}', "nowhere.th: no such checkpoint"),
        ("[1]", "--config '[1]': give a JSON object"),
        ("{", "--config '{': not JSON"),
    ],
)
def test_the_configuration_reaches_the_converter(run: CommandLine, config: str, reason: str, tmp_path: Path) -> None:
    decoder = {"feature_extractor.codebook_weights": torch.zeros(4, 2), "backbone.norm.scale.weight": torch.zeros(4, 2)}
    checkpoint, ours = tmp_path / "vocos.safetensors", tmp_path / "ours.safetensors"
    save_file(decoder, checkpoint)
    result = run("convert", checkpoint, "-o", ours, "--config", config)
    assert result.code == 2
    assert len(result.err.strip().splitlines()) == 1
    assert reason in result.err
    assert not ours.exists()
