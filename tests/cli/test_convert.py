"""The convert command: what it is told besides a checkpoint, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from command import CommandLine
from safetensors.torch import save_file


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{}", "the encoder is not in it"),
        ('{"encodec": "nowhere.th"}', "nowhere.th: no such checkpoint"),
        ("[1]", "--config '[1]': give a JSON object"),
        ("{", "--config '{': not JSON"),
    ],
)
def test_the_configuration_reaches_the_converter(
    config: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    decoder = {"feature_extractor.codebook_weights": torch.zeros(4, 2), "backbone.norm.scale.weight": torch.zeros(4, 2)}
    checkpoint, ours = tmp_path / "vocos.safetensors", tmp_path / "ours.safetensors"
    save_file(decoder, checkpoint)
    result = CommandLine(monkeypatch, capfd)("convert", checkpoint, "-o", ours, "--config", config)
    assert result.code == 2
    assert len(result.err.strip().splitlines()) == 1
    assert reason in result.err
    assert not ours.exists()
