"""The results of a benchmark: rows, summaries with intervals, comparisons; to JSON, JSON lines and Parquet, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from wavelex.bench.run.statistics import LEVEL, Bootstrap, Difference, Mean
from wavelex.errors import WavelexError
from wavelex.files import open_to_read, replacing
from wavelex.metrics.base import Column

FORMAT = 1
RATE_COLUMNS = (
    Column("kbps", "kbit/s", -1, 2, "seconds"),
    Column("file_kbps", "file kbit/s", -1, 2, "seconds"),
    Column("tokens", "tokens/s", 0, 0, "seconds"),
    Column("delay_ms", "delay ms", 0, 1),
)
"""What every system has without any metric: rates of the payload and of what the decoder was given with all headers, and the
delay that was removed."""


@dataclass(frozen=True)
class Entry:
    """One recording through one system in one condition. `values` are the columns' and weights'; `refusals` by metric."""

    recording: str
    content: str
    """Hash of its file."""
    kind: str
    speaker: str
    condition: str
    system: str
    values: dict[str, float]
    refusals: dict[str, str] = field(default_factory=dict)


@dataclass
class Results:
    """Everything a report shows.

    `systems` has by name: family, about, latency, codebooks (usage, perplexity, entropy) and performance. `failures` are rows
    that do not exist: {recording, kind, condition, system, metric, reason}; `missing` are systems that could not be run at all.
    """

    about: dict[str, Any]
    columns: list[Column]
    metrics: dict[str, dict[str, str]]
    systems: dict[str, dict[str, Any]]
    entries: list[Entry]
    failures: list[dict[str, str]]
    missing: dict[str, str]
    # Several pages show the same figures, and a thousand resamples of each take their time.
    _means: dict[tuple[str, ...], Mean | None] = field(default_factory=dict, repr=False)
    _differences: dict[tuple[str, ...], Difference | None] = field(default_factory=dict, repr=False)

    @property
    def kinds(self) -> list[str]:
        return sorted({entry.kind for entry in self.entries})

    @property
    def conditions(self) -> list[str]:
        return list(dict.fromkeys(entry.condition for entry in self.entries))

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @cached_property
    def _recordings(self) -> dict[str, dict[str, int]]:
        """By kind: the place of each recording, and so of its resamples."""
        places: dict[str, dict[str, int]] = {}
        for entry in sorted(self.entries, key=lambda e: e.recording):
            known = places.setdefault(entry.kind, {})
            known.setdefault(entry.recording, len(known))
        return places

    @cached_property
    def _bootstraps(self) -> dict[str, Bootstrap]:
        speakers = {(entry.kind, entry.recording): entry.speaker for entry in self.entries}
        return {kind: Bootstrap([speakers[kind, name] for name in names]) for kind, names in self._recordings.items()}

    @cached_property
    def _by_group(self) -> dict[tuple[str, str, str], list[Entry]]:
        groups: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.entries:
            groups.setdefault((entry.kind, entry.condition, entry.system), []).append(entry)
        return groups

    @property
    def groups(self) -> list[tuple[str, str, str]]:
        """(kind, condition, system) of everything measured."""
        return list(self._by_group)

    def group(self, kind: str, condition: str, system: str) -> list[Entry]:
        """The entries of a system on recordings of a kind in a condition."""
        return self._by_group.get((kind, condition, system), [])

    def values(self, kind: str, condition: str, system: str, column: str) -> np.ndarray:
        """(recordings of the kind,), NaN where the metric refused, does not apply or the system failed."""
        places = self._recordings[kind]
        found = np.full(len(places), np.nan)
        for entry in self.group(kind, condition, system):
            found[places[entry.recording]] = entry.values.get(column, np.nan)
        return found

    def mean(self, kind: str, condition: str, system: str, column: Column) -> Mean | None:
        """With intervals; None where nothing could be scored."""
        key = (kind, condition, system, column.name)
        if key not in self._means:
            weights = self._weights(kind, condition, system, column)
            self._means[key] = self._bootstraps[kind].mean(self.values(*key), weights)
        return self._means[key]

    def compare(self, kind: str, condition: str, a: str, b: str, column: Column) -> Difference | None:
        """System a minus b on the clips that both could be scored on."""
        key = (kind, condition, a, b, column.name)
        if key not in self._differences:
            ours, theirs = (self.values(kind, condition, system, column.name) for system in (a, b))
            self._differences[key] = self._bootstraps[kind].difference(ours, theirs, self._weights(kind, condition, a, column))
        return self._differences[key]

    def versus(self, earlier: Results, kind: str, condition: str, system: str, column: Column, level: float) -> Difference | None:
        """This run minus an earlier one, on the recordings that both have with the same content."""
        places = self._recordings[kind]
        contents = {entry.recording: entry.content for entry in self.entries if entry.kind == kind}
        before = np.full(len(places), np.nan)
        for entry in earlier.group(kind, condition, system):
            if contents.get(entry.recording) == entry.content:
                before[places[entry.recording]] = entry.values.get(column.name, np.nan)
        after = self.values(kind, condition, system, column.name)
        return self._bootstraps[kind].difference(after, before, self._weights(kind, condition, system, column), level)

    def _weights(self, kind: str, condition: str, system: str, column: Column) -> np.ndarray:
        if not column.weight:
            return np.ones(len(self._recordings[kind]))
        weights: np.ndarray = np.nan_to_num(self.values(kind, condition, system, column.weight))
        return weights

    def tried(self, kind: str, condition: str, system: str) -> int:
        """Recordings that a system was run on, whatever came of it."""
        return len({entry.recording for entry in self.group(kind, condition, system)} | self._failed(kind, condition, system))

    def whole(self, kind: str, condition: str, system: str) -> int:
        """Recordings of which no metric refused and nothing failed."""
        fine = {entry.recording for entry in self.group(kind, condition, system) if not entry.refusals}
        return len(fine - self._failed(kind, condition, system))

    def _failed(self, kind: str, condition: str, system: str) -> set[str]:
        place = {"kind": kind, "condition": condition, "system": system}.items()
        return {failed["recording"] for failed in self.failures if place <= failed.items()}

    def summary(self) -> list[dict[str, Any]]:
        """One object a kind, condition, system and column: mean, intervals over clips and over speakers, clips that counted."""
        found = []
        for kind, condition, system in self._by_group:
            for column in self.columns:
                mean = self.mean(kind, condition, system, column)
                if mean is not None:
                    place = {"kind": kind, "condition": condition, "system": system, "column": column.name}
                    found.append(place | asdict(mean) | {"of": self.tried(kind, condition, system)})
        return found

    def save(self, path: Path) -> None:
        """Everything as one JSON file, from which `load` gives it back."""
        content = {
            "format": FORMAT,
            "about": self.about,
            "interval": LEVEL,
            "columns": [asdict(column) for column in self.columns],
            "metrics": self.metrics,
            "systems": self.systems,
            "missing": self.missing,
            "failures": self.failures,
            "summary": self.summary(),
            "entries": [asdict(entry) for entry in self.entries],
        }
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1))

    def save_lines(self, path: Path) -> None:
        """One JSON object a recording, system and condition."""
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(_flat(entry)) + "\n" for entry in self.entries))

    def save_parquet(self, path: Path) -> None:
        """The same as a table."""
        import pyarrow
        from pyarrow import parquet

        rows = [_flat(entry) for entry in self.entries]
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
        with replacing(path) as temporary:
            parquet.write_table(table, temporary)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Raises WavelexError for a file that is not such results."""
        with open_to_read(path, "the results.json of a benchmark") as source:
            data = source.read()
        try:
            content = json.loads(data)
            if content["format"] != FORMAT:
                raise WavelexError(f"{path}: results of format {content['format']}, this program reads {FORMAT}; run that benchmark again")
            return cls(
                content["about"],
                [Column(**column) for column in content["columns"]],
                content["metrics"],
                content["systems"],
                [Entry(**entry) for entry in content["entries"]],
                content["failures"],
                content["missing"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WavelexError(f"{path}: not the results of a benchmark; give the results.json that one wrote") from error


def _flat(entry: Entry) -> dict[str, Any]:
    place = {name: getattr(entry, name) for name in ("recording", "content", "kind", "speaker", "condition", "system")}
    return place | entry.values | {"refusals": "; ".join(entry.refusals.values())}
