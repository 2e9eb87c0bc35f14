"""Frame buzz: told of speech that beats at the frame rate, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from wavelex.audio.recordings import Recording
from wavelex.errors import WavelexError
from wavelex.metrics.base import Pair
from wavelex.metrics.frame_buzz import METRIC, frame_buzz

NOISE = 0.1 * np.random.default_rng(0).standard_normal(6 * 16000)
TIME = np.arange(len(NOISE)) / 16000


def beating(frequency: float, depth: float) -> np.ndarray:
    """Noise whose level beats with pulses at that frequency, so with all its multiples."""
    pulses = sum(np.cos(2 * np.pi * k * frequency * TIME) for k in range(1, 5)) / 4
    return (NOISE * (1 + depth * pulses)).astype(np.float32)


def test_noise_without_beats_has_none() -> None:
    assert abs(frame_buzz(NOISE)) < 1.5


@pytest.mark.parametrize("frame_rate", [12.5, 25.0, 50.0, 75.0, 86.13])
def test_beats_at_the_frame_rate_are_told_and_grow_with_their_depth(frame_rate: float) -> None:
    found = [frame_buzz(beating(frame_rate, depth), frame_rate) for depth in (0.0, 0.3, 0.9)]
    assert found[0] < 2 and found[0] + 2 < found[1] and found[1] + 4 < found[2]


def test_beats_at_another_rate_are_not() -> None:
    # Far from every multiple of 50 Hz and from the neighbours of one.
    assert frame_buzz(beating(72.0, 0.5)) < 1.5 < frame_buzz(beating(72.0, 0.5), 72.0)


def test_loudness_does_not_matter_and_silence_is_no_beat() -> None:
    buzzing = beating(50, 0.5)
    assert frame_buzz(buzzing * 0.01) == pytest.approx(frame_buzz(buzzing), abs=0.01)
    paused = np.concatenate([buzzing, np.zeros(16000), buzzing])
    assert frame_buzz(paused) == pytest.approx(frame_buzz(buzzing), abs=1)


def test_a_pair_is_measured_at_the_frame_rate_of_its_system() -> None:
    decoded = beating(75, 0.5)
    pair = Pair(Recording(None, "x"), decoded, decoded, decoded, frame_rate=75.0)  # type: ignore[arg-type]
    assert METRIC.score(pair)["buzz"] == frame_buzz(decoded, 75.0)


@pytest.mark.parametrize(
    ("samples", "rate", "reason"), [(np.zeros(20000), 50, "silent"), (NOISE[:15999], 50, "shorter"), (NOISE, 9, "at 9")]
)
def test_what_cannot_be_measured_says_why(samples: np.ndarray, rate: float, reason: str) -> None:
    with pytest.raises(WavelexError, match=f"frame buzz cannot be measured.*{reason}"):
        frame_buzz(samples, rate)
