"""`wavelex bench` as a user runs it, on a tiny set made in code."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import voice

import wavelex
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.sample import speak
from wavelex.bench.systems.system import at_rate
from wavelex.cli import app
from wavelex.codec.checkpoint import save_codec

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with noise in its decoder, under the same name."""
    codec = wavelex.load()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in codec.model.decoder.parameters():
            parameter += 0.1 * parameter.std(correction=0) * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp("damaged") / "speech-16k.safetensors"
    save_codec(path, codec.model, codec.name)
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four sentences of synthetic speech by two speakers, and one silent recording of another kind."""
    folder = tmp_path_factory.mktemp("clips")
    spoken = speak()
    samples = at_rate(spoken.mono(), spoken.sample_rate, 16000)
    lines = ["path\tkind\tspeaker\tlanguage\ttext"]
    for number in range(4):
        write_audio(folder / f"{number}.wav", Audio(np.roll(samples, 9000 * number)[None, :40000] * 0.8**number, 16000))
        lines.append(f"{number}.wav\tspeech\tspeaker{number % 2}\ten\tthe birch canoe")
    write_audio(folder / "silent.wav", Audio(np.zeros((1, 16000), np.float32), 16000))
    (folder / "manifest.tsv").write_text("\n".join([*lines, "silent.wav\tsound\t\t\t"]))
    return folder


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    def call(*words: object, metrics: str = "stoi,mel") -> tuple[int, str, str]:
        given = ["wavelex", "bench", *map(str, words), "--cache", str(tmp_path / "cache.sqlite"), "--metrics", metrics]
        monkeypatch.setattr(sys, "argv", given)
        monkeypatch.setenv("COLUMNS", "160")
        try:
            app.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_a_whole_run_then_the_same_from_the_cache_then_the_gate(bench: Bench, clips: Path, damaged: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for number in range(4):
        write_audio(tmp_path / "b" / f"{number}.wav", Audio(voice(2.5)[None], 16000))
    write_audio(tmp_path / "b" / "silent.wav", Audio(np.zeros((1, 16000), np.float32), 16000))
    words = [clips, "--codec", "speech-16k", "-n", "1,8", "--peers", f"folder:{tmp_path / 'b'}@2.5", "--jobs", 2]
    code, out, err = bench(*words, "-o", tmp_path / "out")
    assert code == 0, err
    assert re.search(r"speech-16k@8 +│ \d\.\d\d +│ 0\.\d{3} ±", out) and "sound, clean" in out and "20 measured now" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html",
        "results.md",
        "results.json",
        "clips.jsonl",
        "clips.parquet",
    }
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    rows = {(row["kind"], row["system"], row["column"]): row for row in results["summary"]}
    assert rows["speech", "original", "stoi"]["mean"] == pytest.approx(1) and rows["speech", "original", "mel"]["mean"] == 0
    assert rows["speech", "folder:b", "kbps"]["mean"] == 2.5 and rows["speech", "speech-16k@1", "tokens"]["mean"] == pytest.approx(50)
    assert rows["speech", "speech-16k@8", "file_kbps"]["mean"] > rows["speech", "speech-16k@8", "kbps"]["mean"] > 2.5
    assert ("sound", "speech-16k@8", "stoi") not in rows
    assert sum("STOI cannot score" in reason for e in results["entries"] for reason in e["refusals"].values()) == 4
    assert (
        results["systems"]["speech-16k@8"]["performance"]["encode_x_one"] > 1
        and results["systems"]["speech-16k@8"]["codebooks"][0]["entropy"] > 0
    )

    begun = time.monotonic()
    code, out, err = bench(*words, "-o", tmp_path / "again", "--against", tmp_path / "out" / "results.json")
    assert code == 0, out + err
    assert "0 measured now" in out and "0 significantly worse" in out
    assert time.monotonic() - begun < 10

    code, out, err = bench(
        clips, "--codec", damaged, "-n", "4,8", "--no-timing", "-o", tmp_path / "worse", "--against", tmp_path / "out" / "results.json"
    )
    assert code == 1, out + err
    assert "worse: speech-16k@8 (speech, clean): mel dist. +" in out
    assert "not compared: speech-16k@4 (speech, clean): not in the earlier results" in out


def test_a_broken_peer_is_told_and_the_rest_is_measured(bench: Bench, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("opusenc", "opusdec"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\necho it is Monday >&2\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin")
    (tmp_path / "set" / "takes [").mkdir(parents=True)
    write_audio(tmp_path / "set" / "takes [" / "a]$x|.wav", Audio(voice(1)[None], 16000))
    words = ["--codec", "speech-16k", "-n", "1", "--peers", "opus-6", "--no-timing", "-o", tmp_path / "out"]
    code, out, _ = bench(tmp_path / "set", *words, metrics="mel")
    assert code == 0
    assert "failed: opus-6, takes [/a]$x|.wav (clean): the peer program opusenc failed: it is Monday" in out
    assert re.search(r"opus-6 +│ - +│ - +│ 0 of 1", out) and re.search(r"original +│ 256.00 +│ 0.000 ±0.000 +│ 1 of 1", out)
    assert "it is Monday" in (tmp_path / "out" / "report.html").read_text()


def test_nothing_measured_at_all_is_an_error(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.wav").write_text("not audio")
    code, out, err = bench(tmp_path / "set", "-n", "1", "--no-timing", "-o", tmp_path / "out", metrics="mel")
    assert code == 2 and "nothing could be measured" in err and "not an audio file that can be read" in out


def test_conditions_are_kept_apart(bench: Bench, clips: Path, tmp_path: Path) -> None:
    words = ["--kind", "speech", "--limit", 2, "--no-timing", "-n", "8", "--conditions", "clean,noise-0,loss-10"]
    code, out, err = bench(clips, *words, "-o", tmp_path / "out", metrics="mel")
    assert code == 0, err
    assert "speech, noise-0" in out and "speech, loss-10" in out
    made = json.loads((tmp_path / "out" / "results.json").read_text())["entries"]
    assert {(e["condition"], e["system"]) for e in made} == {
        *((condition, system) for condition in ("clean", "noise-0") for system in ("original", "speech-16k@8")),
        ("loss-10", "speech-16k@8"),
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "nowhere: no such folder or manifest"),
        (["CLIPS", "--kind", "music"], "holds no recordings of the kind 'music'"),
        (["CLIPS", "--peers", "mp3-64"], "unknown peer 'mp3-64'"),
        (["CLIPS", "--codec", "none"], "no model 'none'"),
        (["CLIPS", "-n", "fast"], "--codebooks 'fast': give numbers with commas"),
        (["CLIPS", "-n", "9"], "9 codebooks asked for"),
        (["CLIPS", "--conditions", "rain"], "unknown condition 'rain'"),
        (["CLIPS", "--against", "none.json"], "none.json: no such file"),
        (["CLIPS", "--against", "CLIPS/manifest.tsv"], "not the results of a benchmark"),
        (["CLIPS", "-o", "CLIPS/manifest.tsv"], "cannot be made"),
        (["CLIPS", "--peers", "lyra-3.2"], "needs Lyra V2's model files"),
    ],
)
def test_what_cannot_be_run_is_one_line(bench: Bench, clips: Path, tmp_path: Path, words: list[str], reason: str) -> None:
    given = [word.replace("CLIPS", str(clips)) for word in words]
    code, _, err = bench(*given, *([] if "-o" in words else ["-o", tmp_path / "out"]))
    assert code == 2 and len(err.strip().splitlines()) == 1 and reason in err


def test_unknown_metrics_and_a_cache_that_is_none_are_one_line(bench: Bench, clips: Path, tmp_path: Path) -> None:
    code, _, err = bench(clips, "-o", tmp_path / "out", metrics="beauty")
    assert code == 2 and "unknown metric 'beauty'" in err
    (tmp_path / "cache.sqlite").write_text("something else " * 99)
    code, _, err = bench(clips, "-o", tmp_path / "out")
    assert code == 2 and "give another --cache" in err and len(err.strip().splitlines()) == 1
