"""Systems that behave well or badly on purpose; in a module of their own so that worker processes can import them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from wavelex.bench.systems.system import Coded, from_pcm, to_pcm
from wavelex.errors import WavelexError
from wavelex.metrics.base import Column, Metric, Pair


@dataclass(frozen=True)
class Fake:
    """`behaviour` is copy, vary, noisy, late, vague, nan, half, refuse, raise or die; with `only`, for the recording of that name alone."""

    behaviour: str = "copy"
    only: str = ""
    amount: float = 0.03
    name: str = "fake"
    family: str = "fake"
    latency: float | None = None
    codebook_sizes: tuple[int, ...] = (256,)
    frame_rate: float | None = 50.0
    packet_seconds: float | None = 0.02
    codes_any_clip: bool = True
    about: dict[str, str] = field(default_factory=lambda: {"version": "1"}, hash=False)

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        behaviour = self.behaviour if self.only in ("", name) else "copy"
        if behaviour == "refuse":
            raise WavelexError("the fake refuses")
        if behaviour == "raise":
            raise RuntimeError("the fake broke")
        if behaviour == "die":
            os._exit(3)
        if behaviour == "noisy":
            samples = samples + self.amount * np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)
        if behaviour == "late":
            samples = np.pad(samples, (160, 0))
        if behaviour == "vague":
            samples = 0.1 * np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)
        if behaviour == "half":
            samples = samples[: len(samples) // 2]
        marked = b"nan!" if behaviour == "nan" else b"good"
        codes = np.arange(len(samples) // 320)[None] % 200
        if behaviour == "vary":
            # Every other frame has no second codebook, whose codes are beyond 16 bits.
            codes = np.concatenate([codes, np.where(codes % 2, -1, 70_000 + codes)])
        return Coded(marked + to_pcm(samples), 100.0, codes)

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        samples = from_pcm(data[4:])
        if data[:4] == b"nan!":
            return samples * np.float32(np.nan)
        if lost is not None:
            samples = samples * ~np.repeat(lost, 320)[: len(samples)]
        return samples


def _level(pair: Pair) -> dict[str, float]:
    return {"level": float(np.abs(pair.decoded - pair.original).max()), "weight": 2.0}


def _rates(pair: Pair) -> dict[str, float]:
    return {"rates": pair.frame_rate, "samples": len(pair.decoded)}


def _broken(pair: Pair) -> dict[str, float]:
    raise ZeroDivisionError("no such thing")


def _nan(pair: Pair) -> dict[str, float]:
    return {"nan": float("nan")}


def _deadly(pair: Pair) -> dict[str, float]:
    os._exit(4)


LEVEL = Metric("level", (Column("level", "level", -1, 3, "weight"),), ("numpy",), "none", _level)
RATES = Metric("rates", (Column("rates", "rates", 0), Column("samples", "samples", 0)), ("numpy",), "none", _rates, 8000)
BROKEN = Metric("broken", (Column("broken", "broken", 1),), ("numpy",), "none", _broken)
NAN = Metric("nan", (Column("nan", "nan", 1),), ("numpy",), "none", _nan)
DEADLY = Metric("deadly", (Column("deadly", "deadly", 1),), ("numpy",), "none", _deadly)
