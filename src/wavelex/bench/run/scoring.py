"""One recording through systems, and what the metrics say: the work of a benchmark's worker."""

from __future__ import annotations

import base64
import hashlib
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from wavelex.audio.reading import read_audio
from wavelex.audio.recordings import Recording
from wavelex.bench.run import alignment, conditions
from wavelex.bench.run.alignment import find_delay, without_delay
from wavelex.bench.run.cache import Cache, content_key
from wavelex.bench.run.conditions import Condition, lost_packets
from wavelex.bench.systems.system import System, at_rate, from_pcm, to_pcm
from wavelex.errors import WavelexError
from wavelex.metrics.base import FRAME_RATE, SAMPLE_RATE, Metric, Pair

REVISION = 2
"""Raised when coding the same clip with the same system would be kept differently."""
ABSENT = -1
"""In place of a code that a frame of varying size has not."""
SHORTEST_SHARE, LONGEST_SHARE, SLACK_SECONDS = 0.8, 1.2, 0.5
"""Of the original's length, between which a decoded clip may be one of the same recording; the slack is a codec's padding."""


@dataclass(frozen=True)
class Item:
    """A recording, identified by the hash of its file, in a condition."""

    recording: Recording
    file_hash: str
    condition: Condition

    @property
    def seed(self) -> int:
        """Of the noise or losses: the same for every system."""
        return int(self.file_hash[:12], 16)


@dataclass(frozen=True)
class Failure:
    """What could not be measured, and why. `metric` is empty where the system itself failed."""

    item: Item
    system: str
    metric: str
    reason: str


def file_hash(path: Path) -> str:
    """Raises WavelexError where the file cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WavelexError(f"{path}: cannot be read ({error.strerror}); check the test set") from error


@cache
def _made_by(system: System) -> tuple[str, dict[str, str]]:
    """Name and versions, which for some have to be read from files."""
    return system.name, system.about


def coding_key(item: Item, system: System) -> str:
    # Reconstructions are found by the recording's name.
    name = "" if system.codes_any_clip else item.recording.name
    made_by = (REVISION, alignment.REVISION, conditions.REVISION, *_made_by(system))
    return content_key("coding", *made_by, item.file_hash, item.condition.name, name)


def metric_key(item: Item, decoded: str, delay: int, metric: Metric, frame_rate: float | None) -> str:
    """`decoded` is the hash of the decoded samples, so that a new codec that gives the same sound need not be scored again."""
    known = (item.recording.text, item.recording.language, frame_rate or FRAME_RATE)
    made_by = (metric.name, metric.version, metric.settings, conditions.REVISION)
    return content_key("metric", *made_by, item.file_hash, item.condition.name, decoded, delay, *known)


def read_clip(item: Item) -> np.ndarray:
    """What every system is given: mono, 16 kHz, 16 bit, in the item's condition. Raises WavelexError for what is no recording."""
    audio = read_audio(item.recording.path)
    mono = at_rate(audio.mono(), audio.sample_rate, SAMPLE_RATE)
    if len(mono) < 2:
        raise WavelexError(f"{item.recording.path}: holds no recording ({len(mono)} samples); take it out of the test set")
    return from_pcm(to_pcm(item.condition.apply(mono, item.seed)))


def transcode(item: Item, system: System, original: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """The decoded samples and what is kept of the coding. Raises WavelexError when the system fails or gives no sound of this clip."""
    coded = system.encode(original, item.recording.name)
    lost = None
    if item.condition.loss and system.packet_seconds:
        count = math.ceil(round(len(original) / SAMPLE_RATE / system.packet_seconds, 6))
        lost = lost_packets(count, item.condition.loss, item.seed)
    decoded = system.decode(coded.data, lost)
    if not np.isfinite(decoded).all():
        raise WavelexError(f"{system.name} gave samples that are NaN or infinite for {item.recording.name}")
    slack = SLACK_SECONDS * SAMPLE_RATE
    if not SHORTEST_SHARE * len(original) <= len(decoded) <= LONGEST_SHARE * len(original) + slack:
        given, wanted = len(decoded) / SAMPLE_RATE, len(original) / SAMPLE_RATE
        raise WavelexError(f"{system.name} gave {given:.2f} s for the {wanted:.2f} s of {item.recording.name}; is it the same recording?")
    decoded = from_pcm(to_pcm(decoded))
    delay, agreement = find_delay(original, decoded)
    kept = {
        "seconds": len(original) / SAMPLE_RATE,
        "bits": coded.bits,
        "bytes": len(coded.data) if system.codes_any_clip else None,
        "delay": delay,
        "agreement": agreement,
        "codes": None if coded.codes is None else _squeeze(coded.codes),
        "decoded": hashlib.sha256(decoded.tobytes()).hexdigest(),
    }
    return decoded, kept


@dataclass(frozen=True)
class Task:
    """A system to code an item with and, if its `delay` in samples is known, to score what comes back."""

    system: System
    delay: int | None


def score(item: Item, tasks: tuple[Task, ...], metrics: tuple[Metric, ...], cache_path: Path) -> list[Failure]:
    """Do what the cache lacks, task by task, and keep it at once. Failures come back; they are never scored."""
    failures: list[Failure] = []
    with Cache(cache_path) as cache:
        try:
            original = read_clip(item)
        except Exception as error:  # a recording may be anything
            reason = str(error) if isinstance(error, WavelexError) else f"{item.recording.name}: {type(error).__name__}: {error}"
            return [Failure(item, task.system.name, "", reason) for task in tasks]
        for task in tasks:
            failures += _do(item, task, metrics, original, cache)
    return failures


def _do(item: Item, task: Task, metrics: tuple[Metric, ...], original: np.ndarray, cache: Cache) -> Iterator[Failure]:
    system = task.system
    try:
        decoded, kept = transcode(item, system, original)
    except Exception as error:  # a peer's own library may raise anything; the run goes on and says so
        reason = str(error) if isinstance(error, WavelexError) else f"{system.name} failed: {type(error).__name__}: {error}"
        yield Failure(item, system.name, "", reason)
        return
    cache.put(coding_key(item, system), kept)
    if task.delay is None:
        return
    reference, heard = without_delay(original, decoded, task.delay)
    pair = Pair(item.recording, reference, heard, original, SAMPLE_RATE, system.frame_rate or FRAME_RATE)
    for metric in metrics:
        key = metric_key(item, kept["decoded"], task.delay, metric, system.frame_rate)
        if not metric.applies(item.recording) or cache.get([key]):
            continue
        try:
            values = metric.score(pair)
            if any(isinstance(value, float) and not np.isfinite(value) for value in values.values()):
                raise ArithmeticError(f"gave {values}")
            cache.put(key, {"values": values})
        except WavelexError as error:
            cache.put(key, {"error": str(error)})
        except Exception as error:  # as above, for a metric's library
            yield Failure(item, system.name, metric.name, f"{metric.name} failed: {type(error).__name__}: {error}")


def _squeeze(codes: np.ndarray) -> dict[str, Any]:
    packed = zlib.compress(codes.astype("<i8").tobytes())
    present = int((codes != ABSENT).sum())
    return {"shape": list(codes.shape), "present": present, "zlib": base64.b85encode(packed).decode()}


def unsqueeze(kept: dict[str, Any]) -> np.ndarray:
    """Codes (codebooks, frames) as a coding keeps them, -1 where a frame has none of a codebook."""
    flat = np.frombuffer(zlib.decompress(base64.b85decode(kept["zlib"])), "<i8")
    codes: np.ndarray = flat.reshape(kept["shape"]).astype(np.int64)
    return codes
