"""Measuring everything that the cache lacks, over processes, whatever crashes on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from wavelex.bench.cache import Cache
from wavelex.bench.metrics.base import Metric
from wavelex.bench.scoring import Failure, Item, coding_key, metric_key, score
from wavelex.bench.system import System

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Row:
    """One recording through one system in one condition: what was kept of the coding, and values and refusals by metric."""

    item: Item
    system: str
    coding: dict[str, Any]
    values: dict[str, Any]
    refusals: dict[str, str]


@dataclass(frozen=True)
class Job:
    """An item and the systems whose measurements of it are not complete."""

    item: Item
    systems: tuple[System, ...]


def runs_in(system: System, item: Item) -> bool:
    """Whether the system can be measured in the item's condition."""
    return not item.condition.loss or system.packet_seconds is not None


def collect(
    items: Sequence[Item], systems: Sequence[System], metrics: Sequence[Metric], cache: Cache
) -> tuple[list[Row], dict[Item, tuple[System, ...]]]:
    """The rows that are complete in the cache, and the systems by item that are not."""
    pairs = [(item, system) for item in items for system in systems if runs_in(system, item)]
    keys = {(item, system.name): coding_key(item, system) for item, system in pairs}
    codings = cache.get(keys.values())
    wanted: dict[tuple[Item, str], dict[str, str]] = {}
    for item, system in pairs:
        coding = codings.get(keys[item, system.name])
        if coding is not None:
            wanted[item, system.name] = {m.name: metric_key(item, coding["decoded"], m) for m in metrics if m.applies(item.recording)}
    measured = cache.get(key for by_metric in wanted.values() for key in by_metric.values())
    rows: list[Row] = []
    missing: dict[Item, list[System]] = {}
    for item, system in pairs:
        by_metric = wanted.get((item, system.name))
        if by_metric is None or any(key not in measured for key in by_metric.values()):
            missing.setdefault(item, []).append(system)
        if by_metric is not None:
            found = {name: measured[key] for name, key in by_metric.items() if key in measured}
            values = {name: value for kept in found.values() for name, value in kept.get("values", {}).items()}
            refusals = {name: kept["error"] for name, kept in found.items() if "error" in kept}
            rows.append(Row(item, system.name, codings[keys[item, system.name]], values, refusals))
    return rows, {item: tuple(lacking) for item, lacking in missing.items()}


def measure(
    missing: dict[Item, tuple[System, ...]],
    metrics: tuple[Metric, ...],
    cache: Path,
    workers: int,
    progress: Callable[[int], None],
) -> list[Failure]:
    """Measure what is missing and keep it in the cache; `progress` is told how many systems of an item are done.

    A process that dies (a peer's or a metric's library can take it down) costs the clips it was on: they are tried again one
    system at a time, and what kills its process once more is a failure. After Ctrl-C what is kept stays kept.
    """
    failures: list[Failure] = []
    left = [Job(item, systems) for item, systems in missing.items()]
    left = _in_a_pool(left, metrics, cache, workers, progress, failures)
    for job in left:
        for system in job.systems:
            alone = Job(job.item, (system,))
            if _in_a_pool([alone], metrics, cache, 1, progress, failures):
                reason = f"{system.name}: the process died on this clip; the codec or a metric's library crashed"
                failures.append(Failure(job.item, system.name, "", reason))
                progress(1)
    return failures


def _in_a_pool(
    jobs: list[Job],
    metrics: tuple[Metric, ...],
    cache: Path,
    workers: int,
    progress: Callable[[int], None],
    failures: list[Failure],
) -> list[Job]:
    """Do the jobs; the ones that a dying process left undone come back."""
    if not jobs:
        return []
    undone: list[Job] = []
    # Libraries read these when they are loaded, and a spawned process inherits them.
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    pool = ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))
    try:
        futures: dict[Future[list[Failure]], Job] = {pool.submit(score, job.item, list(job.systems), metrics, cache): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            try:
                failures += future.result()
                progress(len(job.systems))
            except BrokenProcessPool:
                undone.append(job)
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
    return undone
