"""Measuring everything that the cache lacks, over processes, whatever crashes on the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from statistics import median
from typing import Any

import torch

from wavelex.bench.run.cache import Cache
from wavelex.bench.run.conditions import Condition
from wavelex.bench.run.scoring import Failure, Item, Task, coding_key, metric_key, score
from wavelex.bench.systems.system import System
from wavelex.metrics.base import Metric

SURE = 0.6
"""Agreement of the waveforms above which a clip's own delay is believed; where it is a coincidence of pitch periods it is less."""
NEAR = 16
"""Samples; a guess so close to a delay that is sure in another clip is taken for the same."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Row:
    """One recording through one system in one condition: what was kept of the coding, and values and refusals by metric."""

    item: Item
    system: str
    coding: dict[str, Any]
    delay: int
    values: dict[str, Any]
    refusals: dict[str, str]


@dataclass(frozen=True)
class Job:
    """An item and what is to be done with it."""

    item: Item
    tasks: tuple[Task, ...]


def runs_in(system: System, condition: Condition) -> bool:
    """Whether the system can be measured in a condition: given reconstructions are of clean clips, and not all lose packets."""
    if condition.loss:
        return system.packet_seconds is not None
    return system.codes_any_clip or condition.name == "clean"


class Measurements:
    """What the cache has of items through systems, and what it lacks."""

    def __init__(self, items: Sequence[Item], systems: Sequence[System], cache: Cache) -> None:
        self._cache = cache
        self._pairs = [(item, system) for item in items for system in systems if runs_in(system, item.condition)]
        self.refresh()

    def refresh(self) -> None:
        """Look again, after something was measured."""
        keys = {(item, system.name): coding_key(item, system) for item, system in self._pairs}
        found = self._cache.get(keys.values())
        self._codings = {pair: found[key] for pair, key in keys.items() if key in found}
        self._delays = self._find_delays()

    def _find_delays(self) -> dict[tuple[Item, str], int]:
        """A clip's own delay where the waveforms agree, or where other clips are sure of it; else the median over the system's
        clean clips.

        A codec that does not keep the waveform has a constant delay, which is found only roughly in any one clip; of one that
        does, the program may trim some clips otherwise than others. Reconstructions may each have been cut in their own way.
        """
        by_system: dict[str, list[int]] = {}
        believed: dict[str, set[int]] = {}
        clean = any(item.condition.name == "clean" for item, _ in self._codings)
        for (item, name), coding in self._codings.items():
            if item.condition.name == "clean" or not clean:
                by_system.setdefault(name, []).append(coding["delay"])
                if coding["agreement"] >= SURE:
                    believed.setdefault(name, set()).add(coding["delay"])
        medians = {name: round(median(delays)) for name, delays in by_system.items()}
        own = {system.name for _, system in self._pairs if not system.codes_any_clip}
        found = {}
        for pair, coding in self._codings.items():
            near = any(abs(coding["delay"] - delay) <= NEAR for delay in believed.get(pair[1], ()))
            sure = coding["agreement"] >= SURE or near or pair[1] in own
            found[pair] = coding["delay"] if sure else medians.get(pair[1], coding["delay"])
        return found

    def uncoded(self) -> dict[Item, tuple[Task, ...]]:
        """What has not been through its codec."""
        return _by_item((item, Task(system, None)) for item, system in self._pairs if (item, system.name) not in self._codings)

    def unmeasured(self, metrics: Sequence[Metric], items: Collection[Item] | None = None) -> dict[Item, tuple[Task, ...]]:
        """What has, but lacks metrics; of some `items` or of all."""
        wanted = self._keys(metrics, items)
        there = self._cache.get(key for keys in wanted.values() for key in keys.values())
        lacking = {pair for pair, keys in wanted.items() if any(key not in there for key in keys.values())}
        return _by_item(
            (item, Task(system, self._delays[item, system.name])) for item, system in self._pairs if (item, system.name) in lacking
        )

    def rows(self, metrics: Sequence[Metric], items: Collection[Item] | None = None) -> list[Row]:
        """Everything coded, with the metrics that there are."""
        wanted = self._keys(metrics, items)
        there = self._cache.get(key for keys in wanted.values() for key in keys.values())
        rows = []
        for (item, name), keys in wanted.items():
            found = {metric: there[key] for metric, key in keys.items() if key in there}
            values = {column: value for kept in found.values() for column, value in kept.get("values", {}).items()}
            refusals = {metric: kept["error"] for metric, kept in found.items() if "error" in kept}
            rows.append(Row(item, name, self._codings[item, name], self._delays[item, name], values, refusals))
        return rows

    def _keys(self, metrics: Sequence[Metric], items: Collection[Item] | None) -> dict[tuple[Item, str], dict[str, str]]:
        return {
            (item, system.name): {
                m.name: metric_key(item, coding["decoded"], self._delays[item, system.name], m, system.frame_rate)
                for m in metrics
                if m.applies(item.recording)
            }
            for item, system in self._pairs
            if (coding := self._codings.get((item, system.name))) and (items is None or item in items)
        }


def _by_item(tasks: Iterable[tuple[Item, Task]]) -> dict[Item, tuple[Task, ...]]:
    found: dict[Item, list[Task]] = {}
    for item, task in tasks:
        found.setdefault(item, []).append(task)
    return {item: tuple(wanted) for item, wanted in found.items()}


def measure(
    missing: dict[Item, tuple[Task, ...]],
    metrics: tuple[Metric, ...],
    cache: Path,
    workers: int,
    progress: Callable[[int], None],
) -> list[Failure]:
    """Do what is missing and keep it in the cache; `progress` is told how many tasks are done.

    A process that dies (a peer's or a metric's library can take it down) takes its pool with it. The jobs that were in hand
    are tried again one task at a time, and what kills its process once more is a failure; the others go on in a new pool.
    After Ctrl-C what is kept stays kept.
    """
    failures: list[Failure] = []
    left = [Job(item, tasks) for item, tasks in missing.items()]
    while left:
        undone = _in_a_pool(left, metrics, cache, workers, progress, failures)
        # A pool takes jobs in order and holds one more ready than it has workers.
        in_hand, left = undone[: 2 * workers + 1], undone[2 * workers + 1 :]
        for job in in_hand:
            for task in job.tasks:
                if _in_a_pool([Job(job.item, (task,))], metrics, cache, 1, progress, failures):
                    reason = f"{task.system.name}: the process died on this clip; the codec or a metric's library crashed"
                    failures.append(Failure(job.item, task.system.name, "", reason))
                    progress(1)
    return failures


def _context() -> BaseContext:
    """How workers are started: copies of a server that has loaded the libraries once, where that is safe; else from nothing."""
    if sys.platform != "linux":
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([score.__module__])
    return context


def _prepare(environment: dict[str, str]) -> None:
    """A new worker: the server that it was copied from may have been started with another environment."""
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)


def _in_a_pool(
    jobs: list[Job],
    metrics: tuple[Metric, ...],
    cache: Path,
    workers: int,
    progress: Callable[[int], None],
    failures: list[Failure],
) -> list[Job]:
    """Do the jobs; the ones that a dying process left undone come back, in order."""
    undone: set[int] = set()
    # Libraries read these when they are loaded, and a process that is started inherits them.
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    pool = ProcessPoolExecutor(workers, _context(), _prepare, (dict(os.environ),))
    try:
        futures: dict[Future[list[Failure]], int] = {
            pool.submit(score, job.item, job.tasks, metrics, cache): place for place, job in enumerate(jobs)
        }
        for future in as_completed(futures):
            try:
                failures += future.result()
                progress(len(jobs[futures[future]].tasks))
            except BrokenProcessPool:
                undone.add(futures[future])
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return [job for place, job in enumerate(jobs) if place in undone]
