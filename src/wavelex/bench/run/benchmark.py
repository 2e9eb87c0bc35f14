"""A whole benchmark: recordings, systems, metrics and conditions in; results out."""

from __future__ import annotations

import hashlib
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import wavelex
from wavelex.audio.recordings import Recording
from wavelex.bench.run.cache import Cache
from wavelex.bench.run.conditions import Condition
from wavelex.bench.run.exhibit import EXHIBIT, Exhibit, Gallery, choose_exhibits
from wavelex.bench.run.performance import measure_performance, processor
from wavelex.bench.run.results import RATE_COLUMNS, Entry, Results
from wavelex.bench.run.runner import Measurements, Row, measure, runs_in
from wavelex.bench.run.scoring import ABSENT, Failure, Item, Task, file_hash, read_clip, unsqueeze
from wavelex.bench.systems.system import System
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Metric, package_version

UNNAMED_KIND = "recordings"
"""Heading for those of which no manifest says what they are."""


class Progress(Protocol):
    """Told what is being done and how much of it there is; then, how much more is done."""

    def begin(self, what: str, total: int) -> None: ...

    def advance(self, count: int) -> None: ...


def run(
    recordings: Sequence[Recording],
    systems: Sequence[System],
    metrics: tuple[Metric, ...],
    conditions: Sequence[Condition],
    cache_path: Path,
    workers: int,
    timing: bool,
    progress: Progress,
    missing: dict[str, str],
    gallery: bool = True,
) -> tuple[Results, Gallery]:
    """Measure what the cache lacks and gather everything. `missing` are systems that could not be had, and why;
    `timing` also measures speed and memory, `gallery` makes some clips to be heard and seen.

    Raises WavelexError where nothing can be run at all: no system, a metric's package missing, an unreadable file.
    """
    begun = time.perf_counter()
    versions = {m.name: {"version": m.version, "settings": m.settings, "columns": " ".join(c.name for c in m.columns)} for m in metrics}
    hashes = {recording.name: file_hash(recording.path) for recording in recordings}
    items = [Item(recording, hashes[recording.name], condition) for condition in conditions for recording in recordings]
    absent = missing | {
        f"{system.name} in {condition.name}": "it cannot be measured in this condition"
        for system in systems
        for condition in conditions
        if not runs_in(system, condition)
    }
    with Cache(cache_path) as cache:
        measurements = Measurements(items, systems, cache)

        def do(what: str, tasks: dict[Item, tuple[Task, ...]], wanted: tuple[Metric, ...]) -> list[Failure]:
            _begin(progress, what, sum(map(len, tasks.values())))
            found = measure(tasks, wanted, cache_path, workers, progress.advance)
            measurements.refresh()
            return found

        failures = do("coding", measurements.uncoded(), ())
        lacking = measurements.unmeasured(metrics)
        failures += do("measuring", lacking, metrics)
        rows = measurements.rows(metrics)
        entries = [_entry(row) for row in rows]
        columns = [*RATE_COLUMNS, *(column for metric in metrics for column in metric.columns)]
        about = _about(recordings, hashes, rows)
        results = Results(about, columns, versions, {}, entries, [], absent)
        results.systems = {system.name: _describe(system, rows) for system in systems}
        clip = _longest(items, rows)
        timed = [system for system in systems if timing and clip is not None and system.codes_any_clip]
        _begin(progress, "timing", len(timed))
        for system in timed:
            assert clip is not None
            results.systems[system.name]["performance"] = measure_performance(system, clip, cache)
            progress.advance(1)
        chosen = choose_exhibits(results, items) if gallery else {}
        shown = {item for some in chosen.values() for item in some}
        failures += do("players and pictures", measurements.unmeasured((EXHIBIT,), shown), (EXHIBIT,))
        exhibits = {
            (row.item, row.system): Exhibit(row.values["sound"], row.values["picture"])
            for row in measurements.rows((EXHIBIT,), shown)
            if "sound" in row.values
        }
    results.failures = [_told(failure) for failure in failures]
    about["wall_seconds"] = time.perf_counter() - begun
    about["measured_now"] = sum(map(len, lacking.values()))
    return results, Gallery(chosen, exhibits)


def _begin(progress: Progress, what: str, total: int) -> None:
    """Announce a stage that has something to do."""
    if total:
        progress.begin(what, total)


def _entry(row: Row) -> Entry:
    coding, recording = row.coding, row.item.recording
    seconds = coding["seconds"]
    values = {
        "seconds": seconds,
        "delay_ms": 1000 * row.delay / SAMPLE_RATE,
    }
    if coding["bytes"] is not None:
        values["file_kbps"] = 8 * coding["bytes"] / seconds / 1000
    if coding["bits"] is not None:
        values["kbps"] = coding["bits"] / seconds / 1000
    if coding["codes"]:
        values["tokens"] = coding["codes"]["present"] / seconds
    kind = recording.kind or UNNAMED_KIND
    condition, content = row.item.condition.name, row.item.file_hash[:16]
    return Entry(recording.name, content, kind, recording.speaker, condition, row.system, values | row.values, row.refusals)


def _told(failure: Failure) -> dict[str, str]:
    recording = failure.item.recording
    place = {"recording": recording.name, "kind": recording.kind or UNNAMED_KIND, "condition": failure.item.condition.name}
    return place | {"system": failure.system, "metric": failure.metric, "reason": failure.reason}


def _about(recordings: Sequence[Recording], hashes: dict[str, str], rows: list[Row]) -> dict[str, Any]:
    seconds = {row.item.recording.name: row.coding["seconds"] for row in rows}
    return {
        "wavelex": wavelex.__version__,
        "command": shlex.join(["wavelex", *sys.argv[1:]]),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": processor(),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in ("torch", "numpy", "soxr", "soundfile")},
        "recordings": len(recordings),
        "speakers": len({recording.speaker for recording in recordings if recording.speaker}),
        "seconds": sum(seconds.values()),
        "data_hash": hashlib.sha256("".join(sorted(hashes.values())).encode()).hexdigest()[:16],
    }


def _describe(system: System, rows: list[Row]) -> dict[str, Any]:
    codes = [unsqueeze(row.coding["codes"]) for row in rows if row.system == system.name and row.coding["codes"]]
    described: dict[str, Any] = {"family": system.family, "about": system.about, "latency": system.latency}
    if codes and system.codebook_sizes:
        most = len(system.codebook_sizes)
        # A clip in which no frame has the last codebooks may come without their rows.
        whole = [np.pad(some, ((0, most - len(some)), (0, 0)), constant_values=ABSENT) for some in codes]
        described["codebooks"] = codebook_use(np.concatenate(whole, axis=1), system.codebook_sizes)
    return described


def codebook_use(codes: np.ndarray, sizes: Sequence[int]) -> list[dict[str, float]]:
    """For each codebook of (codebooks, frames): its size, the share of its codes in use, perplexity, and entropy in bits.

    Of the frames that have a code of it; where they vary in size, some are ABSENT. One that no frame has uses nothing.
    """
    found = []
    for row, size in zip(codes, sizes, strict=True):
        _, counts = np.unique(row[row != ABSENT], return_counts=True)
        share = counts / max(1, counts.sum())
        entropy = abs(float((share * np.log2(share)).sum()))
        found.append({"size": size, "used": len(counts) / size, "perplexity": 2**entropy, "entropy": entropy})
    return found


def _longest(items: Sequence[Item], rows: list[Row]) -> np.ndarray | None:
    """The clip that speed is measured on."""
    coded = {row.item: row.coding["seconds"] for row in rows}
    known = sorted(coded, key=lambda item: (-coded[item], item.recording.name, items.index(item)))
    return read_clip(known[0]) if known else None


def spread(recordings: Sequence[Recording], most: int | None) -> list[Recording]:
    """At most so many of them, spread over the list."""
    if not most or most >= len(recordings):
        return list(recordings)
    return [recordings[place * len(recordings) // most] for place in range(most)]


def distinct(systems: Sequence[System]) -> list[System]:
    """Without repetitions. Raises WavelexError where two different ones bear one name, or there is none."""
    found: dict[str, System] = {}
    for system in systems:
        if system.name in found and found[system.name].about != system.about:
            raise WavelexError(f"two systems are called {system.name}; rename the folder of one")
        found[system.name] = system
    if not found:
        raise WavelexError("nothing to measure; give --codec or --peers")
    return list(found.values())
