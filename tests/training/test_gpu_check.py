"""The script behind `make gpu-check` on a CPU."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_check.py"


@pytest.mark.slow
def test_two_steps_of_a_design_are_taken_and_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--designs", "speech_16k", "encodec_24k", "--device", "cpu", "--width", "0.05"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[2:]}
    assert set(rows) == {"speech_16k", "encodec_24k"}
    for row in rows.values():
        assert len(row) == 4 and all(float(value) > 0 for value in row)
