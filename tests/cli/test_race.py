"""`wavelex race` as a user runs it, with a design made small enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command import CommandLine
from conftest import TINY, voice

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.results import Results
from wavelex.bench.run.scoring import Failure, Item, Task, score
from wavelex.designs import DESIGNS
from wavelex.metrics.base import Metric

TWO_STEPS = 2 * 8 / 3600


def in_this_process(
    missing: dict[Item, tuple[Task, ...]], metrics: tuple[Metric, ...], cache: Path, workers: int, progress: Callable[[int], None]
) -> list[Failure]:
    return [failure for item, tasks in missing.items() for failure in score(item, tasks, metrics, cache)]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    small = {**TINY, "codebook_size": 32}
    monkeypatch.setitem(DESIGNS, "speech_16k", replace(DESIGNS["speech_16k"], small=small))  # type: ignore[arg-type]
    monkeypatch.setattr("wavelex.bench.run.benchmark.measure", in_this_process)
    return CommandLine(monkeypatch, capfd)


@pytest.fixture
def words(tmp_path: Path) -> list[object]:
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        for index in range(2):
            write_audio(tmp_path / folder / f"{index}.wav", Audio(voice(1.5, seed=index + len(folder))[None], 16000))
    told: list[object] = ["race", tmp_path / "train", "--test", tmp_path / "test", "--out", tmp_path / "out", "--hours", TWO_STEPS]
    return [*told, "--entrants", "speech_16k,masked_channels", "--metrics", "si_sdr"]


def test_a_race_is_run_in_laps_and_leaves_a_page(run: CommandLine, words: list[object], tmp_path: Path) -> None:
    first = run(*words, "--laps", "1", "--lap-minutes", "1e-9")
    assert first.code == 0, first.err
    assert "lap 1: speech_16k, 0.000 of 0.004 h heard" in first.out and "no codec has learned codes yet" in first.out
    page = (tmp_path / "out" / "race.md").read_text()
    assert "| speech_16k |" in page and "| 50% |" in page and "| not begun |" in page and "Up to" not in page
    second = run(*words)
    assert second.code == 0, second.err
    assert "lap 1: masked_channels" in second.out and "lap 2: speech_16k, 0.002" in second.out
    page = (tmp_path / "out" / "race.md").read_text()
    assert page.count("| finished |") == 2 and "## Up to 0.75 kbit/s" in page and "## Ablation: masked channels" in page
    assert "<!doctype html>" in (tmp_path / "out" / "race.html").read_text()
    results = Results.load(tmp_path / "out" / "results.json")
    assert {entry.system.partition("@")[0] for entry in results.entries} == {"speech_16k", "masked_channels", "original"}
    third = run(*words, "--no-score")
    assert third.code == 0 and "lap 1" not in third.out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["--entrants", "speech_16k,nobody"], "unknown entrant 'nobody'; choose from all, designs, ablations, "),
        (["--hours", "0"], "--hours 0: is no training"),
        (["--lap-minutes", "nan"], "--lap-minutes nan: give more than 0"),
        (["--metrics", "beauty"], "unknown metric 'beauty'"),
        (["--test", "nowhere"], "nowhere: no such folder or manifest"),
    ],
)
def test_bad_words_are_one_line_before_anything_is_made(
    run: CommandLine, words: list[object], tmp_path: Path, changed: list[str], said: str
) -> None:
    result = run(*words, *changed)
    assert result.code == 2 and said in result.err and result.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_recordings_to_measure_on_there_must_be_no_measuring(run: CommandLine, words: list[object], tmp_path: Path) -> None:
    without = [word for word in words if word not in ("--test", tmp_path / "test")]
    refused = run(*without)
    assert refused.code == 2 and "give recordings with --test, or --no-score" in refused.err
    assert run(*without, "--no-score").code == 0 and not (tmp_path / "out" / "results.json").exists()


def test_entrants_that_fail_end_in_code_2_after_the_others(
    run: CommandLine, words: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavelex.designs.speech_16k.MaskedChannelRVQ", None)
    result = run(*words, "--no-score")
    assert result.code == 2 and "1 of 2 entrants failed" in result.err
    page = (tmp_path / "out" / "race.md").read_text()
    assert "| finished |" in page and "| failed: design speech_16k cannot be built" in page
