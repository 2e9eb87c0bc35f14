"""Hostile inputs are answered at once, in little memory and in one line."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from make import FILES

from wavelex.errors import WavelexError

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
sys.path.insert(0, str(ROOT / "fuzz"))

import worker  # noqa: E402
from targets import TARGETS, targets_for  # noqa: E402


def test_the_files_are_those_that_are_made_here() -> None:
    stored = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix not in (".py", "") and path.is_file()}
    assert stored == FILES and max(map(len, FILES.values())) < 1024 + 512


@pytest.mark.parametrize(("name", "target"), [(name, target) for name in sorted(FILES) for target in targets_for(name)])
def test_hostile_inputs_are_answered_at_once(name: str, target: str) -> None:
    if target == "decode":
        # Loads the model.
        TARGETS[target]((ROOT / "tests" / "golden" / "coarsest-neural.wlx").read_bytes())
    begun = time.process_time()
    try:
        TARGETS[target](FILES[name])
    except WavelexError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
    assert time.process_time() - begun < 2


def busy(_: bytes) -> None:
    while True:
        pass


def large(_: bytes) -> None:
    np.ones(80 << 20)


def wordy(_: bytes) -> None:
    raise WavelexError("one\ntwo")


def broken(_: bytes) -> None:
    raise KeyError("no such thing")


@pytest.mark.slow
def test_the_fuzzer_notices_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {"busy": busy, "large": large, "wordy": wordy, "broken": broken}
    for name, target in bad.items():
        monkeypatch.setitem(TARGETS, name, target)
    outcomes = list(worker.run_all(worker.Case(name, "x", b"") for name in (*bad, "manifest")))
    found = {outcome.case.target: outcome.finding for outcome in outcomes}
    for name, words in {"busy": "the process ended with -24", "large": "640 MB", "wordy": "no clear line", "broken": "KeyError"}.items():
        assert words in found[name]
    assert found["manifest"] == "" and outcomes[-1].refused


@pytest.mark.slow
def test_fuzzing_finds_nothing_in_a_while(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "fuzz" / "run.py"), "--seconds", "10", "--out", str(tmp_path / "findings")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and "0 findings" in done.stdout, done.stdout + done.stderr
