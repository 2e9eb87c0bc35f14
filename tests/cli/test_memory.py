"""Files of any length in constant memory, measured on whole processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import voice

from wavelex.audio.writing import AudioWriter


def peak(*words: str) -> float:
    """Largest resident size of the command, in MB."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "wavelex", *words], os.environ)
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    return usage.ru_maxrss / 1024


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    minute = voice(60)[None]
    peaks: dict[str, list[float]] = {"encode": [], "decode": []}
    for minutes in (5, 60):
        recording, coded, decoded = (str(tmp_path / f"{minutes}.{ending}") for ending in ("wav", "wlx", "decoded.wav"))
        with AudioWriter(recording, 16000, 1, minutes * minute.shape[1]) as writer:
            for repeat in range(minutes):
                writer.write(minute * np.float32(0.5 + 0.5 * np.sin(repeat) ** 2))
        peaks["encode"].append(peak("encode", recording, "-o", coded))
        peaks["decode"].append(peak("decode", coded, "-o", decoded))
    for short, long in peaks.values():
        assert long < 1000
        assert long < 1.1 * short
