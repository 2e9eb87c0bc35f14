from __future__ import annotations

import numpy as np
import pytest
from conftest import voice

from wavelex.bench.run.alignment import find_delay, without_delay


@pytest.mark.parametrize("delay", [0, 1, 97, 800])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_delay_is_found_and_removed(delay: int, noise: float) -> None:
    x = voice(3)
    y = np.pad(x, (delay, 0)) + noise * np.random.default_rng(0).standard_normal(len(x) + delay)
    assert find_delay(x, y)[0] == delay
    original, decoded = without_delay(x, y, delay)
    assert len(original) == len(decoded) == len(x)


def test_an_advance_is_found_too() -> None:
    x = voice(3)
    assert find_delay(x, x[120:])[0] == -120


def test_the_envelope_decides_when_the_phase_is_lost() -> None:
    x = voice(3)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(len(x)))
    noise = np.fft.irfft(spectrum, len(x))
    envelope = np.convolve(np.abs(x), np.ones(400) / 400, "same")
    assert abs(find_delay(x, np.pad(noise * envelope, (640, 0)))[0] - 640) <= 160


@pytest.mark.parametrize("count", [160, 300, 511, 700, 1023])
def test_short_clips_align_too(count: int) -> None:
    x = np.random.default_rng(0).standard_normal(count).astype(np.float32)
    assert find_delay(x, x)[0] == 0
    assert find_delay(x, np.pad(x, (100, 0)))[0] == 100


def test_clips_too_short_to_align_are_left_alone() -> None:
    assert find_delay(np.ones(10), np.ones(12))[0] == 0
