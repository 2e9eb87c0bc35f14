"""Level: how much louder or quieter decoded speech is than the original, as a whole and in five bands."""

from __future__ import annotations

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair

BANDS = ((100, 1000), (1000, 2000), (2000, 4000), (4000, 7000), (7000, 8000))
"""Hz, from and up to; a column each."""
WINDOW, HOP = 512, 256
ACTIVE_DB = 40
"""Frames of the original further below its loudest are silence and do not count."""
LIMIT_DB = 60
"""What is lost altogether is this far down."""
ROUNDING = 10 / 12 / 32768**2
"""Ten times the power of the rounding to 16 bits: a band of the original below its share of it holds nothing."""


def level(original: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    """dB of the energy of `decoded` over that of `original`, both (T,) at 16 kHz, over the frames in which the original is active.

    `level` is of everything; `level_1` to `level_5` of the bands, without those in which the original holds nothing. 0 is best.
    Raises WavelexError for a silent original.
    """
    if not original.any():
        raise WavelexError("the level error cannot be measured in this clip: the original is silent")
    reference, heard = _power(original), _power(decoded)
    loudness = reference.sum(axis=1)
    active = loudness > loudness.max() * 10 ** (-ACTIVE_DB / 10)
    before, after = reference[active].sum(axis=0), heard[active].sum(axis=0)
    found = {"level": _ratio(before.sum(), after.sum())}
    frequencies = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    nothing = ROUNDING * np.square(np.hanning(WINDOW)).sum() * active.sum()
    for number, (low, high) in enumerate(BANDS, start=1):
        band = (frequencies >= low) & (frequencies < high)
        if before[band].sum() > nothing * band.sum():
            found[f"level_{number}"] = _ratio(before[band].sum(), after[band].sum())
    return found


def _power(samples: np.ndarray) -> np.ndarray:
    padded = np.pad(samples.astype(np.float64), (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    power: np.ndarray = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    return power


def _ratio(before: float, after: float) -> float:
    return float(np.clip(10 * np.log10(max(after, 1e-30) / before), -LIMIT_DB, LIMIT_DB))


def _measure(pair: Pair) -> dict[str, float]:
    return level(pair.original, pair.decoded)


METRIC = Metric(
    "level",
    (
        Column("level", "level dB", 0, 2),
        *(Column(f"level_{n}", f"{a / 1000:g}-{b / 1000:g} kHz dB", 0, 2) for n, (a, b) in enumerate(BANDS, start=1)),
    ),
    ("numpy",),
    f"energy of decoded over original in frames of 32 ms within {ACTIVE_DB} dB of the original's loudest; 0 is best; "
    f"limited to +-{LIMIT_DB} dB",
    _measure,
    SAMPLE_RATE,
)
