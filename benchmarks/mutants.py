"""How many mutants of a random sample the tests notice, by package: `python benchmarks/mutants.py`. Uses mutmut, in ./mutants."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

FOLDER = Path("mutants")
FINE, SURVIVED, UNTESTED = "noticed", "not noticed", "no test"
OUTCOMES = {0: SURVIVED, 33: UNTESTED, 5: UNTESTED}
"""By mutmut's exit code of the tests; every other ends with a failure, a timeout included."""


def made() -> dict[str, int | None]:
    """All mutants by name, with the exit code of their tests if they were tried."""
    found: dict[str, int | None] = {}
    for path in FOLDER.rglob("*.meta"):
        found |= json.loads(path.read_text())["exit_code_by_key"]
    return found


def main() -> None:
    """Make all mutants, try a sample of them, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=200, help="how many are tried")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--seconds", type=float, default=3600.0, help="stop after so long and tell of those that were tried")
    options = parser.parse_args()
    if not FOLDER.is_dir():
        # One mutant makes them all and learns which tests run which function.
        _mutmut(["wavelex.quantizers.layout*split__mutmut_1"], None)
    names = sorted(made())
    sample = random.Random(options.seed).sample(names, min(options.sample, len(names)))
    _mutmut(sample, options.seconds)
    codes = made()
    tried: dict[str, Counter[str]] = {}
    for name in sample:
        code = codes[name]
        if code is not None:
            tried.setdefault(name.split(".")[1], Counter())[OUTCOMES.get(code, FINE)] += 1
            if OUTCOMES.get(code, FINE) != FINE:
                print(f"{OUTCOMES[code]}: {name}")
    for package, counts in sorted(tried.items()):
        print(f"{package:12} {counts[FINE]:4} of {counts.total():4} noticed, {counts[UNTESTED]} reached by no test")
    everything = sum(tried.values(), Counter())
    print(f"{'all':12} {everything[FINE]:4} of {everything.total():4} noticed, of {len(names)} mutants")


def _mutmut(names: list[str], seconds: float | None) -> None:
    try:
        subprocess.run([sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names], check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"stopped after {seconds:.0f} s")


if __name__ == "__main__":
    main()
