"""Fuzzes everything that reads what came from elsewhere, for a while: `python fuzz/run.py --seconds 60 --seed 0`.

The hostile inputs of tests/hostile (and of ../shared/hostile, where that is beside the repository) come first, then seeded mutations
of valid inputs. Each must end in a result or a WavelexError of one line within 2 CPU seconds and 500 MB. Ends with 1 if one does
not, and leaves those inputs in the folder --out.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
from inputs import TARGETS_OF, mutations
from targets import targets_for
from worker import Case, Outcome, prepare, run_all

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "coarsest-neural.wlx"
MOST_FINDINGS = 20


def hostile() -> Iterator[Case]:
    """Each hostile file with each of its targets."""
    for folder in (ROOT / "tests" / "hostile", ROOT.parent / "shared" / "hostile"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".md", ".py", ".pyc"):
                yield from (Case(target, path.name, path.read_bytes()) for target in targets_for(path.name))


def mutants(seed: int, end: float) -> Iterator[Case]:
    """Seeded mutations until the time is over."""
    for number, (kind, data) in enumerate(mutations(seed)):
        if time.monotonic() > end:
            return
        yield from (Case(target, f"{kind}-{seed}-{number}", data) for target in TARGETS_OF[kind])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "fuzz-findings")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepare(GOLDEN.read_bytes())
    findings: list[Outcome] = []
    for name, cases in (("hostile", hostile()), ("mutated", mutants(options.seed, time.monotonic() + options.seconds))):
        counts: Counter[str] = Counter()
        slowest = largest = 0.0
        for outcome in run_all(cases):
            counts["executions"] += 1
            counts["refused"] += outcome.refused
            slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.memory)
            if outcome.finding:
                findings.append(outcome)
                keep(options.out, outcome)
            if len(findings) >= MOST_FINDINGS:
                break
        told = f"{counts['executions']} executions, {counts['refused']} refused"
        print(f"{name}: {told}; at most {slowest:.2f} CPU s and {largest / 2**20:.0f} MB")
    print(f"{len(findings)} findings" + (f" in {options.out}" if findings else ""))
    sys.exit(1 if findings else 0)


def keep(folder: Path, outcome: Outcome) -> None:
    """Store a finding and say what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{outcome.case.target}-{hashlib.sha256(outcome.case.data).hexdigest()[:12]}"
    if path.exists():
        return
    path.write_bytes(outcome.case.data)
    print(f"{outcome.case.name}, {outcome.case.target} ({path.name}): {outcome.finding}")


if __name__ == "__main__":
    main()
