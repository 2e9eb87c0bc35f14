"""The demo: real speech from the package, figures of the files it leaves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import make_codec

from wavelex import data
from wavelex.audio.reading import read_audio
from wavelex.cli import app
from wavelex.codec.checkpoint import save_codec
from wavelex.data import demo_recording


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_codec(path, make_codec().model, "tiny")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["wavelex", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        app.main()
    return int(stop.value.code or 0)


def rows(out: str) -> dict[int, list[str]]:
    """Cells of the printed table by number of codebooks."""
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if line.startswith("│")]
    return {int(row[0]): row[1:] for row in cells}


def test_the_recording_of_the_package_says_whose_voice_it_is() -> None:
    audio = demo_recording()
    assert audio.samples.shape[0] == 1 and 5 < audio.seconds < 8 and audio.sample_rate >= 16000
    folder = Path(data.__file__).parent
    assert sum(path.stat().st_size for path in folder.glob("*.flac")) < 250_000
    words = (folder / "README.md").read_text()
    assert all(name in words for name in ("LJ Speech", "Keith Ito", "Linda Johnson", "LibriVox", "public domain"))


def test_figures_are_of_the_files_that_encode_writes(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert run(monkeypatch, "demo", "--out", out, "--model", model) == 0
    table = rows(capsys.readouterr().out)
    assert {path.name for path in out.iterdir()} == {"original.wav", "comparison.png"} | {
        f"codebooks-{n}.{ending}" for n in (1, 2, 4, 8) for ending in ("wlx", "wav")
    }
    original = read_audio(out / "original.wav")
    for count, (rate, tokens, written, smaller, *_rest) in table.items():
        assert run(monkeypatch, "encode", out / "original.wav", "-n", count, "-o", tmp_path / f"{count}.wlx", "--model", model) == 0
        file = (tmp_path / f"{count}.wlx").read_bytes()
        assert file == (out / f"codebooks-{count}.wlx").read_bytes()
        assert int(written) == len(file) and int(tokens) == 50 * count
        assert float(rate) == pytest.approx(8e-3 * len(file) / original.seconds, abs=0.005)
        assert int(smaller) == pytest.approx((out / "original.wav").stat().st_size / len(file), abs=0.5)
    assert list(table) == [1, 2, 4, 8]


@pytest.mark.parametrize(("samples", "words"), [(0, "holds no samples"), (1, "holds 1 sample,")])
def test_recordings_without_sound_are_told(
    samples: int, words: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(samples, 0.1), 16000)
    assert run(monkeypatch, "demo", tmp_path / "a.wav", "--model", model) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"a.wav: {words}" in told
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_the_demo_needs_nothing_under_the_gpl() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert project.count('"espeakng-loader') == 1
    assert project.index("\ndev = [") < project.index('"espeakng-loader') < project.index("[project.scripts]")
