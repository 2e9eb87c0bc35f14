"""What every metric is: columns of figures for a decoded clip, with the versions and settings that make them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from wavelex.audio.recordings import Recording
from wavelex.audio.resampling import resample
from wavelex.errors import WavelexError

SAMPLE_RATE = 16_000
"""Hz at which the benchmark compares, and for which most metrics are made."""
FRAME_RATE = 50.0
"""Frames a second of most speech codecs, taken where a system's own is not known."""


@dataclass(frozen=True)
class Column:
    """One figure. `better` is 1 where more is better, -1 where less is, 0 where neither is.

    A mean over clips weighs each by the value `weight` names (WER by words), or equally.
    """

    name: str
    label: str
    better: int
    digits: int = 2
    weight: str = ""


@dataclass(frozen=True)
class Pair:
    """What a metric sees: mono, `original` and `decoded` (T,) aligned and equally long.

    `whole` is the original before a codec's delay was cut off: the same for every system. `frame_rate` is that of the system in
    frames a second.
    """

    recording: Recording
    original: np.ndarray
    decoded: np.ndarray
    whole: np.ndarray
    sample_rate: int = SAMPLE_RATE
    frame_rate: float = FRAME_RATE

    def at(self, sample_rate: int) -> Pair:
        """The same at another sample rate."""
        if sample_rate == self.sample_rate:
            return self
        original, decoded, whole = (resample(x[None], self.sample_rate, sample_rate)[0] for x in (self.original, self.decoded, self.whole))
        return Pair(self.recording, original, decoded, whole, sample_rate, self.frame_rate)


def always(recording: Recording) -> bool:
    """For metrics that every recording can have."""
    return True


@dataclass(frozen=True)
class Metric:
    """`measure` gives a value for each column and weight, and raises WavelexError for a pair it cannot score.

    It is given pairs at `sample_rate`, the rate that the metric is made for. `weights` names those of a model that is not part of a
    package's version. `revision` is raised whenever the same pair would get other figures, so that stored ones are measured anew.
    """

    name: str
    columns: tuple[Column, ...]
    packages: tuple[str, ...]
    settings: str
    measure: Callable[[Pair], Mapping[str, Any]]
    sample_rate: int = SAMPLE_RATE
    applies: Callable[[Recording], bool] = always
    revision: int = 1
    weights: Callable[[], str] | None = None

    @property
    def version(self) -> str:
        """Revision, package versions and weights. Raises WavelexError when a package or the weights are missing."""
        packages = [f"{name} {package_version(name)}" for name in self.packages]
        return ", ".join([f"revision {self.revision}", *packages, *([self.weights()] if self.weights else [])])

    def score(self, pair: Pair) -> dict[str, Any]:
        """Measure a pair of any sample rate."""
        return dict(self.measure(pair.at(self.sample_rate)))


@cache
def package_version(name: str) -> str:
    """Raises WavelexError, saying what to install, when the package is not installed."""
    try:
        # A build's own suffix (2.13.0+cpu) does not change what it computes.
        return version(name).partition("+")[0]
    except PackageNotFoundError as error:
        raise WavelexError(f"the benchmark needs {name}; pip install 'wavelex[bench]'") from error


_REMEMBERED: OrderedDict[tuple[str, str], object] = OrderedDict()
REMEMBERED = 8
"""An original's analyses, and those of the decoded clip that two metrics use in turn; a long clip's are tens of megabytes."""


def remember(what: str, samples: np.ndarray, compute: Callable[[np.ndarray], object]) -> object:
    """`compute(samples)`, kept for the pairs that follow: one original is compared with many systems."""
    key = (what, hashlib.sha256(samples.tobytes()).hexdigest())
    if key not in _REMEMBERED:
        _REMEMBERED[key] = compute(samples)
    _REMEMBERED.move_to_end(key)
    while len(_REMEMBERED) > REMEMBERED:
        _REMEMBERED.popitem(last=False)
    return _REMEMBERED[key]
