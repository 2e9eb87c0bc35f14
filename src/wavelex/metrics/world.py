"""The WORLD analysis (Morise et al. 2016) that pitch and mel-cepstra are taken from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from wavelex.metrics.base import SAMPLE_RATE, remember

FRAME_MS = 5.0
LOWEST, HIGHEST = 60.0, 500.0


@dataclass(frozen=True)
class World:
    """F0 (frames,) in Hz, 0 where unvoiced, and the power spectrum's smooth envelope (frames, bins)."""

    f0: np.ndarray
    envelope: np.ndarray


def analyze(samples: np.ndarray) -> World:
    """DIO refined by StoneMask, and CheapTrick, every 5 ms of (T,) at 16 kHz."""
    found = remember("world", samples, _analyze)
    assert isinstance(found, World)
    return found


def _analyze(samples: np.ndarray) -> World:
    # It imports pkg_resources, which announces its own end.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyworld

    x = samples.astype(np.float64)
    raw, times = pyworld.dio(x, SAMPLE_RATE, f0_floor=LOWEST, f0_ceil=HIGHEST, frame_period=FRAME_MS)
    f0 = pyworld.stonemask(x, raw, times, SAMPLE_RATE)
    return World(f0, pyworld.cheaptrick(x, f0, times, SAMPLE_RATE))
