"""Is this run worse than an earlier one?"""

from __future__ import annotations

from dataclasses import dataclass

from wavelex.bench.run.results import Results

LEVEL = 0.99
"""Of the interval that has to lie on the worse side: many figures are looked at, so each has to be surer than 95%."""
LEAST = 0.002
"""Share of the earlier figure; a smaller difference is another machine's rounding, however sure it is."""


@dataclass(frozen=True)
class Verdict:
    """What became significantly worse, and what could not be compared; both in words."""

    compared: int
    worse: list[str]
    incomparable: list[str]


def judge(now: Results, earlier: Results) -> Verdict:
    """Paired differences of every figure that both runs have, system by system; speed is not judged, machines differ."""
    worse, incomparable = [], []
    compared = 0
    for name in sorted(now.metrics.keys() & earlier.metrics.keys()):
        if now.metrics[name] != earlier.metrics[name]:
            incomparable.append(f"{name}: measured with {now.metrics[name]['version']}, earlier with {earlier.metrics[name]['version']}")
    other = {
        column for name in now.metrics if now.metrics[name] != earlier.metrics.get(name) for column in now.metrics[name]["columns"].split()
    }
    contents = {entry.recording: entry.content for entry in now.entries}
    changed = {entry.recording for entry in earlier.entries if contents.get(entry.recording, entry.content) != entry.content}
    if changed:
        incomparable.append(f"{len(changed)} recordings with other content than earlier, first {min(changed)}")
    # Also what was there and is not now: a system may fail on every clip.
    for kind, condition, system in dict.fromkeys([*now.groups, *(group for group in earlier.groups if group[2] in now.systems)]):
        if not earlier.group(kind, condition, system):
            incomparable.append(f"{system} ({kind}, {condition}): not in the earlier results")
            continue
        for column in now.columns:
            if not column.better or column.name in other:
                continue
            lost = _lost(now, earlier, kind, condition, system, column.name)
            if lost:
                worse.append(f"{system} ({kind}, {condition}): {column.label} of {len(lost)} clips is no longer there, first {lost[0]}")
            found = now.versus(earlier, kind, condition, system, column, LEVEL) if now.group(kind, condition, system) else None
            if found is None:
                continue
            compared += 1
            before = earlier.mean(kind, condition, system, column)
            least = LEAST * abs(before.mean) if before else 0.0
            if found.significant and found.difference * column.better < -least:
                low, high = found.interval
                worse.append(
                    f"{system} ({kind}, {condition}): {column.label} {found.difference:+.{column.digits + 1}f} "
                    f"({low:+.{column.digits + 1}f} to {high:+.{column.digits + 1}f}, {found.count} clips)"
                )
    return Verdict(compared, worse, incomparable)


def _lost(now: Results, earlier: Results, kind: str, condition: str, system: str, column: str) -> list[str]:
    """Recordings of this run's set that had a value and have none now."""
    tried = {entry.recording for entry in now.entries if entry.kind == kind} | {failed["recording"] for failed in now.failures}
    had = {entry.recording for entry in earlier.group(kind, condition, system) if column in entry.values}
    has = {entry.recording for entry in now.group(kind, condition, system) if column in entry.values}
    return sorted((had & tried) - has)
