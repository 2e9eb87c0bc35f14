"""`wavelex train`: runs, goes on by the name of its folder, and says early and in a line what cannot be."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import CommandLine
from conftest import TINY, voice

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.checkpoint import load_codec, read_tensors
from wavelex.training.evaluate import Score

SETTINGS = {"options": {"adversarial": {"width": 8}}, "kmeans_batches": 4, "evaluate_every": 1, "log_every": 1, "precision": "float32"}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capfd)


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    """Those of a small new run."""
    for folder in ("data", "dev"):
        (tmp_path / folder).mkdir()
        for index in range(2 if folder == "data" else 4):
            write_audio(tmp_path / folder / f"{index}.wav", Audio(voice(1.5, seed=index)[None], 16000))
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    told: list[object] = ["train", "--data", tmp_path / "data", "--out", tmp_path / "run", "--arguments", json.dumps(TINY)]
    told += ["--settings", tmp_path / "settings.json", "--batch", "2", "--segment-seconds", "0.5"]
    return [*told, "--steps", "autoencoder=1", "--steps", "codes=1", "--steps", "adversarial=1"]


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many clips each evaluation had; the metrics themselves are tested elsewhere."""
    found: list[int] = []

    def evaluate(codec: Any, clips: list[np.ndarray], counts: tuple[int, ...], hear: Any) -> dict[int, Score]:
        found.append(len(clips))
        hear(0, 0, clips[0])
        return {count: Score(2.0, 0.8, len(clips)) for count in counts}

    monkeypatch.setattr("wavelex.training.run.evaluate", evaluate)
    return found


def step_of(folder: Path) -> int:
    return int(json.loads(read_tensors(folder / "state.safetensors")[0]["progress"])["step"])


def test_a_run_goes_on_by_the_name_of_its_folder_with_all_that_it_was_told(
    run: CommandLine, words: list[object], tmp_path: Path, evaluated: list[int]
) -> None:
    dev = ["--dev", tmp_path / "dev", "--dev-clips", "3", "--name", "my-codec", "--threads", "1"]
    first = run(*words, *dev)
    assert first.code == 0, first.err
    assert "my-codec (speech_16k)" in first.out and "in float32 on cpu" in first.out and "x real time" in first.out
    again = run(*words)
    assert again.code == 2 and "continue it with --resume" in again.err
    before = json.loads((tmp_path / "run" / "run.json").read_text())
    resumed = run("train", "--out", tmp_path / "run", "--resume", "--steps", "adversarial=3")
    assert resumed.code == 0, resumed.err
    assert step_of(tmp_path / "run") == 5 and set(evaluated) == {3}
    after = json.loads((tmp_path / "run" / "run.json").read_text())
    assert after["settings"]["stages"][2].pop("steps") == 3 and before["settings"]["stages"][2].pop("steps") == 1
    assert before == after and after["arguments"] == TINY and after["settings"]["batch"] == 2
    assert load_codec(tmp_path / "run" / "latest.safetensors").name == "my-codec"
    assert run("train", "--out", tmp_path / "run", "--resume", "--dev-clips", "2", "--steps", "adversarial=4", "--name", "other").code == 0
    assert evaluated[-1] == 2 and load_codec(tmp_path / "run" / "latest.safetensors").name == "other"


def test_a_run_goes_on_with_touched_recordings_and_has_a_new_best_on_another_dev_set(
    run: CommandLine, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four clips score better than two whatever the weights.
    monkeypatch.setattr(
        "wavelex.training.run.evaluate", lambda codec, clips, counts, hear: {n: Score(float(len(clips)), 0.8, len(clips)) for n in counts}
    )
    assert run(*words, "--dev", tmp_path / "dev", "--dev-clips", "4").code == 0
    for path in (tmp_path / "data").iterdir():
        os.utime(path, ns=(1, 1))
    resumed = run("train", "--out", tmp_path / "run", "--resume", "--dev-clips", "2", "--steps", "adversarial=2")
    assert resumed.code == 0, resumed.err
    assert load_codec(tmp_path / "run" / "best.safetensors").notes["step"] == 4


def test_a_new_run_from_weights_is_named_by_its_folder_and_is_a_model(run: CommandLine, words: list[object], tmp_path: Path) -> None:
    assert run(*words).code == 0
    assert load_codec(tmp_path / "run" / "latest.safetensors").name == "run"
    weights = tmp_path / "run" / "latest.safetensors"
    more = ["--init", weights, "--batch", "2", "--segment-seconds", "0.5", "--settings", tmp_path / "settings.json"]
    steps = ["--steps", "autoencoder=0", "--steps", "codes=1"]
    assert run("train", "--data", tmp_path / "data", "--out", tmp_path / "more", *more, *steps).code == 0
    assert step_of(tmp_path / "more") == 1 and load_codec(tmp_path / "more" / "latest.safetensors").name == "more"
    assert run("encode", tmp_path / "data" / "0.wav", "--model", tmp_path / "more").code == 0
    assert run("train", "--data", tmp_path / "data", "--out", tmp_path / "x", "--init", weights, "--design", "speech_16k").code == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--device", "nonsense"], "--device nonsense: cannot be used here"),
        (["--batch", "0"], "setting batch is 0"),
        (["--seed", "-1"], "setting seed is -1"),
        (["--arguments", '{"dim": -4}'], "cannot be built with"),
        (["--arguments", "[1]"], "give a JSON object"),
        (["--arguments", "{"], "not JSON"),
        (["--design", "nothing"], "unknown design 'nothing'"),
        (["--resume"], "holds no run to resume"),
        (["--settings", "/nowhere.json"], "cannot be read as settings"),
        (["--steps", "codes=some"], "--steps codes=some: give a stage and its steps"),
        (["--steps", "cods=5"], "there is no stage cods"),
        (["--segment-seconds", "0.0001"], "segment_seconds is 0.0001; a frame alone has 0.02 seconds"),
        (["--segment-seconds", "nan"], "setting segment_seconds is nan"),
        (["--precision", "float8"], "setting precision is 'float8'"),
        (["--name", "a\nb"], "printable"),
        (["--dev-clips", "0"], "0 held-out clips"),
        (["--init", "/nowhere.safetensors"], "no such checkpoint"),
        (["--data", "/nowhere"], "no such folder or manifest"),
        (["--dev", "/nowhere"], "no such folder or manifest"),
        ({"betas": [0.9, 2]}, "setting betas is [0.9, 2]"),
        ({"betas": 3}, "not usable as settings"),
        ({"options": {"mel": {"colour": 1}}}, "objective of mel cannot be made"),
        ({"stages": [{"name": "a", "steps": 1, "objectives": {"beauty": 1}}]}, "no objective gives beauty"),
    ],
)
def test_what_cannot_begin_says_why_before_anything_is_read(
    run: CommandLine, tmp_path: Path, given: list[str] | dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(1)[None], 16000))
    monkeypatch.setattr("wavelex.cli.train.PackedAudio", None)
    # Importing it fails from here on: TensorBoard and the metrics take seconds.
    monkeypatch.setitem(sys.modules, "wavelex.training.run", None)
    if isinstance(given, dict):
        (tmp_path / "settings.json").write_text(json.dumps(given))
        given = ["--settings", str(tmp_path / "settings.json")]
    result = run("train", "--data", tmp_path, "--out", tmp_path / "run", "--arguments", json.dumps(TINY), *given)
    assert result.code == 2 and result.err.count("\n") == 1 and message in result.err, result.err
    assert not (tmp_path / "run").exists()


def test_a_run_without_its_plan_says_how_to_go_on(run: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.safetensors").touch()
    result = run("train", "--out", tmp_path / "run", "--resume")
    assert result.code == 2 and "run.json is missing; begin a new one with --init" in result.err
    assert "--data" in run("train", "--out", tmp_path / "new").err
