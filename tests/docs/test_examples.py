"""The examples run without arguments and say what they did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from blocks import ROOT, environment

EXAMPLES = ROOT / "examples"


def run(script: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    names = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}
    assert names >= {"files.py", "microphone.py", "language_model.py", "folder.py", "train.py", "tour.ipynb"}
    assert all(name in listed for name in names)


@pytest.mark.slow
def test_files(tmp_path: Path) -> None:
    assert "8 codebooks: 4.00 kbit/s of codes" in run("files.py", tmp_path)
    assert {f"codebooks-{n}{ending}" for n in (1, 2, 4, 8) for ending in (".wlx", ".wav")} < {
        path.name for path in (tmp_path / "example-output").iterdir()
    }


@pytest.mark.slow
def test_microphone_is_little_behind(tmp_path: Path) -> None:
    told = run("microphone.py", tmp_path)
    behind = int(told.split("was ")[1].split(" ms")[0])
    # One frame, the look-ahead, and at 48 kHz what the resamplers of both sides hold.
    assert 60 <= behind <= 140
    assert (tmp_path / "streamed.wav").exists()


@pytest.mark.slow
def test_language_model(tmp_path: Path) -> None:
    assert "of 4 recordings" in run("language_model.py", tmp_path)
    assert (tmp_path / "sampled.wav").exists()


@pytest.mark.slow
def test_folder_can_be_run_again(tmp_path: Path) -> None:
    assert "6 token files" in run("folder.py", tmp_path)
    assert "recordings\n" not in run("folder.py", tmp_path)
    assert len(list((tmp_path / "coded").rglob("*.wlx"))) == 6


@pytest.mark.slow
def test_train(tmp_path: Path) -> None:
    assert "gives codes (1, 4, 50)" in run("train.py", tmp_path)


@pytest.mark.slow
def test_the_cells_of_the_notebook_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    # The cells run without Jupyter, so what plays and shows is replaced.
    player = ModuleType("IPython.display")
    player.Audio, player.display = lambda samples, rate: samples, lambda shown: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", player)
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = json.loads((EXAMPLES / "tour.ipynb").read_text())
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]
            exec(compile("".join(cell["source"]), "tour.ipynb", "exec"), names)
