"""Laps: exact when resumed, fair, and not ended by one entrant that fails."""

from __future__ import annotations

import fcntl
import io
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, voice
from rich.console import Console

from wavelex.audio.recordings import list_recordings
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.checkpoint import read_tensors
from wavelex.codec.hub import load
from wavelex.errors import WavelexError
from wavelex.race.entrants import Entrant, known
from wavelex.race.laps import Race
from wavelex.race.rules import common_settings
from wavelex.race.score import counts_near
from wavelex.training.run import LATEST, STATE
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer

ONE_STEP = 1e-9
"""Seconds that any step takes longer than."""
SIX_STEPS = 6 * 8 / 3600
ARGUMENTS = {**TINY, "codebook_size": 32}


def tiny(name: str = "tiny", **arguments: Any) -> Entrant:
    return Entrant(name, "speech_16k", {**ARGUMENTS, **arguments})


def settings(hours: float = SIX_STEPS) -> Settings:
    return common_settings(hours, batch=2, segment_seconds=0.5, kmeans_batches=4)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    for index in range(2):
        write_audio(folder / f"{index}.wav", Audio(voice(2.0, seed=index)[None], 16000))
    return folder


def race(out: Path, recordings: Path, entrants: Sequence[Entrant], said: io.StringIO | None = None, hours: float = SIX_STEPS) -> Race:
    paths = [recording.path for recording in list_recordings(recordings)]
    return Race(out, recordings, paths, entrants, settings(hours), Console(file=said or io.StringIO(), width=300))


def steps(running: Race) -> list[int]:
    return [standing.progress.step for standing in running.standings.values()]


@pytest.mark.parametrize("averages", ["joint", "published"])
def test_laps_give_the_weights_of_one_go(tmp_path: Path, recordings: Path, averages: str) -> None:
    entrant = tiny(averages=averages)
    assert not race(tmp_path / "whole", recordings, [entrant]).run(1e9)
    for _ in range(6):
        assert not race(tmp_path / "laps", recordings, [entrant]).run(ONE_STEP, laps=1)
    whole, laps = (read_tensors(tmp_path / folder / "tiny" / STATE)[1] for folder in ("whole", "laps"))
    assert whole.keys() == laps.keys() and all(torch.equal(whole[name], laps[name]) for name in whole)
    assert race(tmp_path / "laps", recordings, [entrant]).next() is None
    assert (tmp_path / "laps" / "tiny" / LATEST).exists()


def test_whoever_has_heard_least_goes_next_and_the_one_who_joins_late_catches_up(tmp_path: Path, recordings: Path) -> None:
    first, second, late = tiny("first"), tiny("second"), tiny("late")
    running = race(tmp_path, recordings, [first, second])
    assert not running.run(ONE_STEP, laps=3)
    assert steps(running) == [2, 1] and running.next() == second
    joined = race(tmp_path, recordings, [first, second, late])
    assert joined.next() == late
    joined.run(ONE_STEP, laps=3)
    assert steps(joined) == [2, 2, 2]
    assert joined.standings["late"].hours == pytest.approx(2 * 2 * 0.5 / 3600)
    assert all(0 < standing.progress.cpu_seconds < 60 for standing in joined.standings.values())


def test_all_entrants_share_one_copy_of_the_recordings(tmp_path: Path, recordings: Path) -> None:
    running = race(tmp_path, recordings, [tiny("first"), tiny("second")])
    running.run(ONE_STEP, laps=2)
    assert len(list((tmp_path / "cache").glob("*.i16"))) == 1
    assert running.recordings_hours == pytest.approx(4 / 3600)


def test_one_that_fails_is_told_and_left_out(tmp_path: Path, recordings: Path) -> None:
    said = io.StringIO()
    running = race(tmp_path, recordings, [tiny("odd", dim=-3), tiny("even")], said)
    assert not running.run(1e9)
    assert steps(running) == [0, 6] and running.next() is None
    assert "odd failed and is left out: design speech_16k cannot be built" in said.getvalue()
    assert running.standings["odd"].failure and not running.standings["even"].failure


def test_being_stopped_ends_the_race_and_keeps_the_step(tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer.step

    def stopped(self: Trainer) -> dict[str, float]:
        if self.progress.step == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(Trainer, "step", stopped)
    # Where tests run in the background the signal is ignored from the start, and would be here.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = race(tmp_path, recordings, [tiny("first"), tiny("second")])
        assert running.run(1e9) and steps(running) == [2, 0]
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    again = race(tmp_path, recordings, [tiny("first"), tiny("second")])
    assert not again.run(1e9) and steps(again) == [6, 6]


def test_another_race_in_the_folder_is_refused(tmp_path: Path, recordings: Path) -> None:
    race(tmp_path, recordings, [tiny()]).run(ONE_STEP, laps=1)
    with pytest.raises(WavelexError, match=r"with other settings, over 0\.0016.* h; go on with its --hours"):
        race(tmp_path, recordings, [tiny()], hours=2 * SIX_STEPS)
    with pytest.raises(WavelexError, match="with other arguments than tiny now has"):
        race(tmp_path, recordings, [tiny(masked_groups=3)])


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path, recordings: Path) -> None:
    running = race(tmp_path, recordings, [tiny()])
    (tmp_path / "cache").mkdir()
    with (tmp_path / "cache" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WavelexError, match="another process trains there"):
            running.run(ONE_STEP)
        assert not running.run(ONE_STEP, laps=0)
    assert steps(running) == [0] and not running.run(ONE_STEP, laps=1) and steps(running) == [1]


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), 0.001])
def test_a_time_that_is_no_training_is_refused(hours: float) -> None:
    with pytest.raises(WavelexError, match="--hours"):
        common_settings(hours)


def test_the_common_rules() -> None:
    made = common_settings(0.5)
    first, second = made.stages
    assert (first.steps, second.steps) == (34, 191) and made.steps * made.batch * made.segment_seconds == pytest.approx(1800)
    assert (
        first.quantize == "no" and second.start == "kmeans" and "commitment" in second.objectives and "commitment" not in first.objectives
    )
    assert (made.schedule, made.decay_share, made.learning_rate) == ("constant", 0.2, 5e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", known())
def test_every_entrant_can_be_trained_by_the_common_rules(tmp_path: Path, recordings: Path, name: str) -> None:
    paths = [recording.path for recording in list_recordings(recordings)]
    few = common_settings(3 * 8 / 3600, batch=2, kmeans_batches=2)
    running = Race(tmp_path, recordings, paths, [known()[name]], few, Console(file=io.StringIO()))
    assert not running.run(1e9)
    standing = running.standings[name]
    assert not standing.failure and standing.finished and not standing.progress.skipped
    near = counts_near(load(tmp_path / name).model)
    assert near and max(near.values()) <= 6000
