"""Which is better, with what certainty: the sentences and tables of paired comparisons."""

from __future__ import annotations

from dataclasses import dataclass

from wavelex.bench.run.results import Results
from wavelex.bench.run.statistics import Difference
from wavelex.metrics.base import Column


@dataclass(frozen=True)
class Comparison:
    """One of our systems against a peer in one figure; `gain` is positive where ours is better."""

    ours: str
    peer: str
    column: Column
    found: Difference

    @property
    def gain(self) -> float:
        return self.found.difference * self.column.better

    @property
    def verdict(self) -> str:
        """better, worse or level (the 95% interval holds 0)."""
        if not self.found.significant:
            return "level"
        return "better" if self.gain > 0 else "worse"


def families(results: Results) -> tuple[list[str], list[str]]:
    """Names of the systems under test (the first family) and of the others; without the original."""
    names = [name for name, described in results.systems.items() if described["family"] != "original"]
    first = results.systems[names[0]]["family"] if names else ""
    ours = [name for name in names if results.systems[name]["family"] == first]
    return ours, [name for name in names if name not in ours]


def shown_columns(results: Results) -> list[Column]:
    """The figures of the metrics, without rates and speeds."""
    names = {name for metric in results.metrics.values() for name in metric["columns"].split()}
    return [column for column in results.columns if column.name in names]


def quality_columns(results: Results) -> list[Column]:
    """Those of which more or less is better; a level is best near 0."""
    return [column for column in shown_columns(results) if column.better]


def compare_all(results: Results, kind: str, condition: str) -> list[Comparison]:
    """Each system under test against each other system in every figure."""
    ours, peers = families(results)
    found = []
    for a in ours:
        for b in peers:
            for column in quality_columns(results):
                difference = results.compare(kind, condition, a, b, column)
                if difference is not None:
                    found.append(Comparison(a, b, column, difference))
    return found


def kbps(results: Results, kind: str, condition: str, system: str) -> float | None:
    """Mean payload rate, if known."""
    mean = results.mean(kind, condition, system, results.column("kbps"))
    return None if mean is None else mean.mean
