"""`wavelex bench` as a user runs it, on a tiny set made in code."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_codec, voice, with_prior

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.sample import speak
from wavelex.bench.systems.system import at_rate
from wavelex.cli import app
from wavelex.codec.checkpoint import save_codec
from wavelex.codec.codec import Codec
from wavelex.codec.hub import load
from wavelex.tokens.entropy.priors.store import save_prior

METRICS = "si_sdr,level"
"""Metrics that load no library; the others are tested by themselves."""
Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small codec, and another in `damaged` of the same name with noise in its decoder."""
    folder = tmp_path_factory.mktemp("models")
    codec = make_codec()
    save_codec(folder / "tiny.safetensors", codec.model, codec.name)
    damage(codec, folder / "damaged" / "tiny.safetensors")
    return folder


def damage(codec: Codec, path: Path) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in codec.model.decoder.parameters():
            parameter += 0.1 * parameter.std(correction=0) * torch.randn_like(parameter)
    path.parent.mkdir()
    save_codec(path, codec.model, codec.name)


def write_clips(folder: Path, samples: np.ndarray, count: int) -> Path:
    """`count` clips by two speakers, and one silent recording of another kind."""
    lines = ["path\tkind\tspeaker\tlanguage\ttext"]
    for number in range(count):
        write_audio(folder / f"{number}.wav", Audio(np.roll(samples, 9000 * number)[None] * 0.8**number, 16000))
        lines.append(f"{number}.wav\tspeech\tspeaker{number % 2}\ten\tthe birch canoe")
    write_audio(folder / "silent.wav", Audio(np.zeros((1, 16000), np.float32), 16000))
    (folder / "manifest.tsv").write_text("\n".join([*lines, "silent.wav\tsound\t\t\t"]))
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"), voice(1.2), 4)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    def call(*words: object, metrics: str = METRICS) -> tuple[int, str, str]:
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


def summary(out: Path) -> dict[tuple[str, str, str], float]:
    rows = json.loads((out / "results.json").read_text())["summary"]
    return {(row["kind"], row["system"], row["column"]): row["mean"] for row in rows}


def test_a_whole_run_then_the_same_from_the_cache_then_the_gate(bench: Bench, clips: Path, models: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for number in range(4):
        write_audio(tmp_path / "b" / f"{number}.wav", Audio(voice(1.2)[None], 16000))
    write_audio(tmp_path / "b" / "silent.wav", Audio(np.zeros((1, 16000), np.float32), 16000))
    words = [clips, "--codec", models / "tiny.safetensors", "-n", "1,8", "--peers", f"folder:{tmp_path / 'b'}@2.5"]
    words += ["--no-timing", "--effort", 0]
    code, out, err = bench(*words, "-o", tmp_path / "out")
    assert code == 0, err
    assert re.search(r"tiny@8e0 +│ \d\.\d\d +│ -?\d+\.\d\d ±", out) and "sound, clean" in out and "20 measured now" in out
    assert "coding" in err and "timing" not in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html",
        "results.md",
        "results.json",
        "clips.jsonl",
        "clips.parquet",
    }
    rows, results = summary(tmp_path / "out"), json.loads((tmp_path / "out" / "results.json").read_text())
    assert rows["speech", "original", "si_sdr"] == 100 and rows["speech", "original", "level"] == 0
    assert rows["speech", "folder:b", "kbps"] == 2.5 and rows["speech", "tiny@1e0", "tokens"] == pytest.approx(50)
    assert rows["speech", "tiny@8e0", "file_kbps"] > rows["speech", "tiny@8e0", "kbps"] > 2.5
    assert ("sound", "tiny@8e0", "si_sdr") not in rows
    assert sum("SI-SDR cannot score" in reason for e in results["entries"] for reason in e["refusals"].values()) == 4
    assert results["systems"]["tiny@8e0"]["codebooks"][0]["entropy"] > 0

    code, out, err = bench(*words, "-o", tmp_path / "again", "--against", tmp_path / "out" / "results.json")
    assert code == 0, out + err
    assert "0 measured now" in out and "0 significantly worse" in out and not re.search("coding|measuring|timing", err)

    words = [clips, "--codec", models / "damaged" / "tiny.safetensors", "-n", "4,8", "--no-timing", "--effort", 0, "-o", tmp_path / "worse"]
    code, out, err = bench(*words, "--against", tmp_path / "out" / "results.json")
    assert code == 1, out + err
    assert "worse: tiny@8e0 (speech, clean): SI-SDR dB -" in out
    assert "not compared: tiny@4e0 (speech, clean): not in the earlier results" in out


@pytest.mark.slow
def test_the_shipped_model_with_every_metric_and_its_speed(bench: Bench, tmp_path: Path) -> None:
    spoken = speak("A quick look at the map showed us a shorter way over the hill.")
    (tmp_path / "set").mkdir()
    write_clips(tmp_path / "set", at_rate(spoken.mono(), spoken.sample_rate, 16000), 2)
    code, _, err = bench(tmp_path / "set", "--kind", "speech", "--codec", "speech-16k", "-n", "8", "-o", tmp_path / "out", metrics="all")
    assert code == 0, err
    rows, results = summary(tmp_path / "out"), json.loads((tmp_path / "out" / "results.json").read_text())
    assert rows["speech", "original", "stoi"] == pytest.approx(1) and rows["speech", "original", "wer_original"] == 0
    missing = [c["name"] for c in results["columns"] if ("speech", "speech-16k@8", c["name"]) not in rows]
    assert not missing and not results["failures"]
    assert results["systems"]["speech-16k@8"]["performance"]["encode_x_one"] > 1 and "timing" in err


def test_rows_of_frames_of_varying_size_count_what_was_sent(bench: Bench, clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "vary.safetensors"
    save_codec(path, make_codec().model, "vary")
    # Of the weights as they are in the file, which rounds them.
    codec = with_prior(load(str(path)))
    save_prior(tmp_path / "vary.neural.prior.safetensors", codec.priors.stored[0].prior, codec.weights_hash)
    words = [clips, "--kind", "speech", "--codec", path, "-n", "8", "--target", "2k", "--no-timing", "--effort", 0, "-o", tmp_path / "out"]
    code, _, err = bench(*words)
    assert code == 0, err
    rows, results = summary(tmp_path / "out"), json.loads((tmp_path / "out" / "results.json").read_text())
    tokens = [codec.encode(clips / f"{number}.wav", target=2000.0, effort=0) for number in range(4)]
    assert all(some.varies for some in tokens)
    assert rows["speech", "vary@2ke0", "tokens"] == pytest.approx(np.mean([some.tokens_per_second for some in tokens]))
    assert rows["speech", "vary@2ke0", "tokens"] < rows["speech", "vary@8e0", "tokens"] == pytest.approx(400)
    payload = np.mean([8e-3 * (len(some.to_bytes()) - len(some.header().to_bytes())) / some.seconds for some in tokens])
    assert rows["speech", "vary@2ke0", "kbps"] == pytest.approx(payload) and payload < 2.2
    codes = np.concatenate([some.codes[0] for some in tokens], axis=1)
    for row, book in zip(codes, results["systems"]["vary@2ke0"]["codebooks"], strict=True):
        assert book["used"] == pytest.approx(len(set(row[row >= 0])) / book["size"]) and book["perplexity"] <= book["size"]


def test_a_broken_peer_is_told_and_the_rest_is_measured(
    bench: Bench, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("opusenc", "opusdec"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\necho it is Monday >&2\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin")
    (tmp_path / "set" / "takes [").mkdir(parents=True)
    write_audio(tmp_path / "set" / "takes [" / "a]$x|.wav", Audio(voice(1)[None], 16000))
    words = ["--codec", models / "tiny.safetensors", "-n", "1", "--peers", "opus-6", "--no-timing", "-o", tmp_path / "out"]
    code, out, _ = bench(tmp_path / "set", *words)
    assert code == 0
    assert "failed: opus-6, takes [/a]$x|.wav (clean): the peer program opusenc failed: it is Monday" in out
    assert re.search(r"opus-6 +│( - +│)+ 0 of 1", out) and re.search(r"original +│ 256.00 +│ 100.00 ±0.00 +│( 0.00 ±0.00 +│)+ 1 of 1", out)
    assert "it is Monday" in (tmp_path / "out" / "report.html").read_text()


def test_nothing_measured_at_all_is_an_error(bench: Bench, models: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.wav").write_text("not audio")
    words = ["--codec", models / "tiny.safetensors", "-n", "1", "--no-timing", "-o", tmp_path / "out"]
    code, out, err = bench(tmp_path / "set", *words)
    assert code == 2 and "nothing could be measured" in err and "not an audio file that can be read" in out


def test_conditions_are_kept_apart(bench: Bench, clips: Path, models: Path, tmp_path: Path) -> None:
    words = ["--codec", models / "tiny.safetensors", "--kind", "speech", "--limit", 2, "--no-timing", "-n", "8", "--effort", 0]
    words += ["--conditions", "clean,noise-0,loss-10"]
    code, out, err = bench(clips, *words, "-o", tmp_path / "out")
    assert code == 0, err
    assert "speech, noise-0" in out and "speech, loss-10" in out
    made = json.loads((tmp_path / "out" / "results.json").read_text())["entries"]
    assert {(e["condition"], e["system"]) for e in made} == {
        *((condition, system) for condition in ("clean", "noise-0") for system in ("original", "tiny@8e0")),
        ("loss-10", "tiny@8e0"),
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
