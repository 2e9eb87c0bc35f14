"""What may happen to speech before it reaches a codec, and to its packets on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wavelex.bench.systems.system import at_rate
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE

REVISION = 1
"""Raised when a condition's signals change, so that stored figures are measured anew."""
BURST = 3.0
"""Mean number of packets lost in a row."""

NOISES = {f"noise-{level}": level for level in (20, 10, 5, 0)}
LOSSES = {f"loss-{percent}": percent / 100 for percent in (1, 3, 5, 10)}
ALL = ("clean", *NOISES, "narrowband", "clipped", "quiet", *LOSSES)


@dataclass(frozen=True)
class Condition:
    """`clean`; pink `noise-DB` (signal to noise); `narrowband` (8 kHz rate); `clipped`; `quiet` (-40 dB); `loss-PERCENT` of packets."""

    name: str

    @property
    def loss(self) -> float:
        """Share of packets lost."""
        return LOSSES.get(self.name, 0.0)

    def apply(self, samples: np.ndarray, seed: int) -> np.ndarray:
        """What the codec is given for (T,) at 16 kHz."""
        heard: np.ndarray = samples
        if self.name in NOISES:
            heard = _with_noise(samples, NOISES[self.name], seed)
        elif self.name == "narrowband":
            heard = at_rate(at_rate(samples, SAMPLE_RATE, SAMPLE_RATE // 2), SAMPLE_RATE // 2, SAMPLE_RATE)[: len(samples)]
        elif self.name == "clipped":
            # A quarter of the peak: as loud recordings are cut by a bad microphone amplifier.
            limit = 0.25 * float(np.abs(samples).max(initial=0.0))
            heard = np.clip(samples, -limit, limit)
        elif self.name == "quiet":
            heard = samples * np.float32(0.01)
        return heard


def choose(names: str) -> tuple[Condition, ...]:
    """Conditions by name with commas, or `all`. Raises WavelexError for an unknown one."""
    wanted = ALL if names == "all" else tuple(name for name in names.split(",") if name)
    for name in wanted:
        if name not in ALL:
            raise WavelexError(f"unknown condition {name!r}; choose from {', '.join(ALL)}, or all")
    if not wanted:
        raise WavelexError(f"no condition given; choose from {', '.join(ALL)}, or all")
    return tuple(Condition(name) for name in dict.fromkeys(wanted))


def _with_noise(samples: np.ndarray, decibels: float, seed: int) -> np.ndarray:
    """Pink noise: power falls 3 dB an octave, as many rooms' and as speech's does; below 50 Hz there is none."""
    white = np.random.default_rng(seed).standard_normal(len(samples))
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    shape = np.where(frequencies >= 50, 1 / np.sqrt(np.maximum(frequencies, 50)), 0)
    noise = np.fft.irfft(np.fft.rfft(white) * shape, len(samples))
    wanted = np.square(samples, dtype=np.float64).sum() / 10 ** (decibels / 10)
    mixed: np.ndarray = (samples + noise * np.sqrt(wanted / max(np.square(noise).sum(), 1e-12))).astype(np.float32)
    return mixed


def lost_packets(count: int, share: float, seed: int) -> np.ndarray:
    """(count,) bool, true where a packet is lost: a Gilbert-Elliott channel that loses all in its bad state and none in its good.

    Gilbert 1960; the chance of leaving the bad state is 1 / BURST, and that of entering it gives `share` in the long run.
    """
    rng = np.random.default_rng(seed)
    leave = 1 / BURST
    enter = leave * share / (1 - share)
    draws = rng.random(count)
    lost = np.zeros(count, bool)
    bad = bool(rng.random() < share)
    for index in range(count):
        lost[index] = bad
        bad = draws[index] >= leave if bad else draws[index] < enter
    return lost
