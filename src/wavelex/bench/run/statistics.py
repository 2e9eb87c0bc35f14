"""Means over clips with bootstrap intervals (Efron 1979), over clips and over speakers, and paired comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
SEED = 20_000
LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A weighted mean of `count` clips and its intervals (low, high) over clips and over speakers."""

    mean: float
    clips: tuple[float, float]
    speakers: tuple[float, float]
    count: int

    @property
    def widest(self) -> tuple[float, float]:
        """The wider of the two: speakers differ more than their clips, unless most speak once."""
        return max(self.clips, self.speakers, key=lambda interval: interval[1] - interval[0])


@dataclass(frozen=True)
class Difference:
    """Mean of a minus b over the clips that both have; `certainty` is the share of resamples with the same sign."""

    difference: float
    interval: tuple[float, float]
    certainty: float
    count: int

    @property
    def significant(self) -> bool:
        return self.count > 1 and not self.interval[0] <= 0 <= self.interval[1]


class Bootstrap:
    """Resamples of a fixed set of clips, the same for every figure, so that differences are paired.

    `speakers` has one name a clip; an empty one is a speaker of its own.
    """

    def __init__(self, speakers: list[str]) -> None:
        rng = np.random.default_rng(SEED)
        count = len(speakers)
        own = [name or f"clip {index}" for index, name in enumerate(speakers)]
        _, group = np.unique(own, return_inverse=True)
        groups = int(group.max()) + 1
        self._by_clip = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
        self._by_speaker = rng.multinomial(groups, np.full(groups, 1 / groups), RESAMPLES).astype(np.float64)[:, group]

    def mean(self, values: np.ndarray, weights: np.ndarray) -> Mean | None:
        """Of (clips,) values, NaN where there is none; None when there is none at all."""
        known = np.isfinite(values) & (weights > 0)
        if not known.any():
            return None
        w = np.where(known, weights, 0.0)
        v = np.where(known, values, 0.0)
        return Mean(float(v @ w / w.sum()), self._interval(self._by_clip, v, w), self._interval(self._by_speaker, v, w), int(known.sum()))

    def difference(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray, level: float = LEVEL) -> Difference | None:
        """Of (clips,) a minus b, paired; the interval is the wider of those over clips and over speakers."""
        known = np.isfinite(a) & np.isfinite(b) & (weights > 0)
        if not known.any():
            return None
        w = np.where(known, weights, 0.0)
        v = np.where(known, a, 0.0) - np.where(known, b, 0.0)
        mean = float(v @ w / w.sum())
        drawn = [_means(counts, v, w) for counts in (self._by_clip, self._by_speaker)]
        intervals = [_percentiles(means, level) for means in drawn]
        widest = int(np.argmax([high - low for low, high in intervals]))
        agree = float(np.mean(drawn[widest] * np.sign(mean) > 0)) if mean else 0.0
        return Difference(mean, intervals[widest], agree, int(known.sum()))

    def _interval(self, counts: np.ndarray, v: np.ndarray, w: np.ndarray) -> tuple[float, float]:
        return _percentiles(_means(counts, v, w), LEVEL)


def _means(counts: np.ndarray, v: np.ndarray, w: np.ndarray) -> np.ndarray:
    total = counts @ w
    # A resample may hold none of the clips that count.
    drawn: np.ndarray = (counts @ (v * w))[total > 0] / total[total > 0]
    return drawn


def _percentiles(means: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.percentile(means, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)
