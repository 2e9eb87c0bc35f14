"""What goes wrong with a system or a metric is listed, costs only itself, and is never scored."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import voice
from fakes import BROKEN, DEADLY, LEVEL, NAN, RATES, Fake

from wavelex.audio.recordings import list_recordings
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.cache import Cache
from wavelex.bench.run.conditions import Condition
from wavelex.bench.run.runner import Measurements, Row, measure
from wavelex.bench.run.scoring import Failure, Item, coding_key, file_hash, unsqueeze
from wavelex.bench.systems.system import System
from wavelex.metrics import choose
from wavelex.metrics.base import Metric


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    for seed, name in enumerate("abc"):
        write_audio(tmp_path / "clips" / f"{name}.wav", Audio(voice(1.5, seed=seed)[None], 16000))
    return tmp_path / "clips"


def items(folder: Path, condition: str = "clean") -> list[Item]:
    return [Item(recording, file_hash(recording.path), Condition(condition)) for recording in list_recordings(folder)]


def benchmark(
    listed: list[Item], systems: list[System], cache: Path, metrics: tuple[Metric, ...] = (LEVEL,), workers: int = 1
) -> tuple[list[Row], list[Failure], int]:
    """Rows, failures and how many tasks were done."""
    done: list[int] = []
    with Cache(cache) as kept:
        measurements = Measurements(listed, systems, kept)
        uncoded = measurements.uncoded()
        failures = measure(uncoded, (), cache, workers, done.append)
        measurements.refresh()
        lacking = measurements.unmeasured(metrics)
        failures += measure(lacking, metrics, cache, workers, done.append)
        rows = measurements.rows(metrics)
    assert sum(done) == sum(map(len, [*uncoded.values(), *lacking.values()]))
    return rows, failures, sum(done)


def test_rows_have_rates_delays_codes_and_values(clips: Path, tmp_path: Path) -> None:
    rows, failures, _ = benchmark(items(clips), [Fake(), Fake("late", name="late")], tmp_path / "c")
    assert not failures and len(rows) == 6
    for row in rows:
        assert row.coding["bits"] == 100 and row.coding["seconds"] == 1.5 and row.coding["bytes"] > 48000
        assert row.delay == row.coding["delay"] == (160 if row.system == "late" else 0)
        assert row.values == {"level": 0, "weight": 2}
        np.testing.assert_array_equal(unsqueeze(row.coding["codes"]), np.arange(len(unsqueeze(row.coding["codes"])[0]))[None])


def test_codes_of_frames_of_varying_size_and_of_any_codebook_are_kept_as_they_are(clips: Path, tmp_path: Path) -> None:
    rows, _, _ = benchmark(items(clips)[:1], [Fake("vary")], tmp_path / "c")
    kept = rows[0].coding["codes"]
    assert kept["shape"] == [2, 75] and kept["present"] == 75 + 38
    np.testing.assert_array_equal(unsqueeze(kept)[1], np.where(np.arange(75) % 2, -1, 70_000 + np.arange(75)))


def test_a_metric_is_given_its_own_sample_rate_and_the_systems_frame_rate(clips: Path, tmp_path: Path) -> None:
    systems = [Fake(), Fake(name="slow", frame_rate=12.5), Fake(name="unknown", frame_rate=None)]
    rows, _, _ = benchmark(items(clips)[:1], systems, tmp_path / "c", (RATES,))
    assert {row.system: row.values for row in rows} == {
        "fake": {"rates": 50, "samples": 12000},
        "slow": {"rates": 12.5, "samples": 12000},
        "unknown": {"rates": 50, "samples": 12000},
    }


def test_a_delay_is_the_clips_own_where_it_is_sure_and_the_systems_elsewhere(clips: Path, tmp_path: Path) -> None:
    rows, _, _ = benchmark(items(clips), [Fake("late", only="b.wav")], tmp_path / "c")
    assert {row.item.recording.name: row.delay for row in rows} == {"a.wav": 0, "b.wav": 160, "c.wav": 0}
    assert all(row.values["level"] == 0 for row in rows)
    rows, _, _ = benchmark(items(clips), [Fake("vague", only="b.wav", name="vague")], tmp_path / "c")
    assert next(row.coding["delay"] for row in rows if row.item.recording.name == "b.wav") != 0
    assert {row.delay for row in rows} == {0}
    given, _, _ = benchmark(items(clips), [Fake("vague", only="b.wav", name="given", codes_any_clip=False)], tmp_path / "c")
    assert {row.delay for row in given} != {0}


def test_nothing_is_measured_twice_until_something_changes(clips: Path, tmp_path: Path) -> None:
    cache = tmp_path / "c"
    assert benchmark(items(clips), [Fake()], cache)[2] == 6
    assert benchmark(items(clips), [Fake()], cache)[2] == 0
    # The same sound from a newer codec is coded again but not scored again.
    assert benchmark(items(clips), [Fake(about={"version": "2"})], cache)[2] == 3
    assert benchmark(items(clips), [Fake()], cache, (LEVEL, *choose("stoi")))[2] == 3
    write_audio(clips / "a.wav", Audio(voice(1, seed=9)[None], 16000))
    assert benchmark(items(clips), [Fake()], cache)[2] == 2
    assert benchmark(items(clips, "quiet"), [Fake()], cache)[2] == 6


def test_a_run_that_was_stopped_goes_on(clips: Path, tmp_path: Path) -> None:
    cache, listed = tmp_path / "c", items(clips)

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with Cache(cache) as kept:
        measurements = Measurements(listed, [Fake()], kept)
        with pytest.raises(KeyboardInterrupt):
            measure(measurements.uncoded(), (), cache, 1, stop)
        measurements.refresh()
        done = len(measurements.rows(()))
    assert done >= 1
    assert benchmark(listed, [Fake()], cache)[2] == 6 - done


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("refuse", "the fake refuses"),
        ("raise", "fake failed: RuntimeError: the fake broke"),
        ("nan", "fake gave samples that are NaN or infinite for b.wav"),
        ("half", r"fake gave 0.75 s for the 1.50 s of b.wav; is it the same recording\?"),
        ("die", "fake: the process died on this clip"),
    ],
)
def test_a_system_that_fails_on_a_clip_is_listed_and_the_rest_is_measured(clips: Path, tmp_path: Path, behaviour: str, reason: str) -> None:
    systems = [Fake(behaviour, only="b.wav"), Fake(name="good")]
    rows, failures, _ = benchmark(items(clips), systems, tmp_path / "c", workers=2)
    assert {(row.item.recording.name, row.system) for row in rows} == {
        *(("a.wav", "fake"), ("c.wav", "fake")),
        *((f"{name}.wav", "good") for name in "abc"),
    }
    assert [(f.item.recording.name, f.system, f.metric) for f in failures] == [("b.wav", "fake", "")]
    assert re.search(reason, failures[0].reason)
    # It is tried again: what failed once may work when its cause is mended.
    rows, failures, tried = benchmark(items(clips), [Fake(only="b.wav"), Fake(name="good")], tmp_path / "c")
    assert len(rows) == 6 and not failures and tried == 1  # its sound is that of the good one, whose figures are known


def test_a_metric_that_breaks_is_a_failure_and_the_others_count(clips: Path, tmp_path: Path) -> None:
    rows, failures, _ = benchmark(items(clips), [Fake()], tmp_path / "c", (BROKEN, LEVEL))
    assert all(row.values == {"level": 0, "weight": 2} for row in rows) and len(rows) == 3
    assert {(f.metric, f.reason) for f in failures} == {("broken", "broken failed: ZeroDivisionError: no such thing")}


def test_a_metric_that_gives_nan_is_a_failure(clips: Path, tmp_path: Path) -> None:
    rows, failures, _ = benchmark(items(clips)[:1], [Fake()], tmp_path / "c", (NAN, LEVEL))
    assert rows[0].values == {"level": 0, "weight": 2} and "gave {'nan': nan}" in failures[0].reason


def test_one_deadly_clip_costs_only_itself(clips: Path, tmp_path: Path) -> None:
    for number in range(8):
        write_audio(clips / f"d{number}.wav", Audio(voice(0.5, seed=number)[None], 16000))
    rows, failures, _ = benchmark(items(clips), [Fake("die", only="b.wav"), Fake(name="good")], tmp_path / "c", workers=2)
    assert len(rows) == 21 and [(f.item.recording.name, f.system) for f in failures] == [("b.wav", "fake")]


def test_a_metric_that_kills_its_process_is_a_failure(clips: Path, tmp_path: Path) -> None:
    _, failures, _ = benchmark(items(clips)[:1], [Fake()], tmp_path / "c", (DEADLY,))
    assert len(failures) == 1 and "a metric's library crashed" in failures[0].reason


def test_a_silent_clip_and_one_too_short_are_refused_by_metrics_not_scored(clips: Path, tmp_path: Path) -> None:
    write_audio(clips / "silent.wav", Audio(np.zeros((1, 16000), np.float32), 16000))
    write_audio(clips / "short.wav", Audio(voice(0.05)[None], 16000))
    listed = [item for item in items(clips) if item.recording.name in ("silent.wav", "short.wav")]
    rows, failures, _ = benchmark(listed, [Fake()], tmp_path / "c", choose("pesq,stoi,mel"))
    assert not failures and len(rows) == 2
    for row in rows:
        assert {"pesq", "stoi"} <= set(row.refusals) and all("cannot score this clip" in reason for reason in row.refusals.values())
        assert not {"pesq_wb", "stoi"} & set(row.values)
    assert benchmark(listed, [Fake()], tmp_path / "c", choose("pesq,stoi,mel"))[2] == 0


def test_recordings_that_cannot_be_read_are_failures_of_every_system(clips: Path, tmp_path: Path) -> None:
    soundfile.write(clips / "nan.wav", np.full(16000, np.nan, np.float32), 16000, subtype="FLOAT")
    (clips / "text.wav").write_text("not audio")
    write_audio(clips / "one.wav", Audio(np.zeros((1, 1), np.float32), 16000))
    listed = [item for item in items(clips) if item.recording.name[0] not in "abc"]
    rows, failures, _ = benchmark(listed, [Fake(), Fake(name="other")], tmp_path / "c")
    assert not rows and len(failures) == 6
    told = {f.item.recording.name: f.reason for f in failures}
    assert "NaN" in told["nan.wav"] and "not an audio file" in told["text.wav"] and "holds no recording (1 samples)" in told["one.wav"]


def test_losses_reach_only_systems_that_can_take_them(clips: Path, tmp_path: Path) -> None:
    deaf = Fake(name="deaf", packet_seconds=None)
    rows, _, _ = benchmark(items(clips, "loss-10"), [Fake(), deaf], tmp_path / "c")
    assert {row.system for row in rows} == {"fake"}
    given = Fake(name="given", codes_any_clip=False)
    assert not benchmark(items(clips, "noise-0"), [given], tmp_path / "c")[0]
    assert any(row.values["level"] > 0 for row in rows)


def test_keys_know_everything_that_shapes_the_sound(clips: Path) -> None:
    first, second, quiet = *items(clips)[:2], items(clips, "quiet")[0]
    others = [coding_key(first, system) for system in (Fake(name="x"), Fake(about={"version": "2"}))]
    assert len({*others, *(coding_key(item, Fake()) for item in (first, second, quiet))}) == 5
