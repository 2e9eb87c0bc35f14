"""One recording through systems, and what the metrics say: the work of a benchmark's worker."""

from __future__ import annotations

import base64
import hashlib
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavelex.audio import read_audio
from wavelex.bench import alignment, conditions
from wavelex.bench.alignment import find_delay, without_delay
from wavelex.bench.cache import Cache, content_key
from wavelex.bench.conditions import Condition, lost_packets
from wavelex.bench.metrics.base import SAMPLE_RATE, Metric, Pair
from wavelex.bench.system import System, at_rate, from_pcm, to_pcm
from wavelex.errors import WavelexError
from wavelex.recordings import Recording

REVISION = 1
"""Raised when coding the same clip with the same system would be kept differently."""
SHORTEST_SHARE = 0.8
"""Of the original that a decoded clip must cover to be of the same recording."""


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


def coding_key(item: Item, system: System) -> str:
    about = system.about
    return content_key("coding", REVISION, alignment.REVISION, conditions.REVISION, item.file_hash, item.condition.name, system.name, about)


def metric_key(item: Item, decoded: str, metric: Metric) -> str:
    """`decoded` is the hash of the decoded samples, so that a new codec that gives the same sound need not be scored again."""
    known = (item.recording.text, item.recording.language)
    made_by = (metric.name, metric.version, metric.settings, alignment.REVISION, conditions.REVISION)
    return content_key("metric", *made_by, item.file_hash, item.condition.name, decoded, *known)


def read_clip(item: Item) -> np.ndarray:
    """What every system is given: mono, 16 kHz, 16 bit, in the item's condition. Raises WavelexError for what is no recording."""
    audio = read_audio(item.recording.path)
    mono = at_rate(audio.mono(), audio.sample_rate, SAMPLE_RATE)
    if len(mono) < 2:
        raise WavelexError(f"{item.recording.path}: holds no recording ({len(mono)} samples); take it out of the test set")
    return from_pcm(to_pcm(item.condition.apply(mono, item.seed)))


def transcode(item: Item, system: System, original: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """The decoded samples and what is kept of the coding. Raises WavelexError when the system fails or gives no sound of this clip."""
    begun = time.perf_counter()
    coded = system.encode(original, item.recording.name)
    encoded = time.perf_counter()
    lost = None
    if item.condition.loss and system.packet_seconds:
        count = -(-len(original) // round(system.packet_seconds * SAMPLE_RATE))
        lost = lost_packets(count, item.condition.loss, item.seed)
    decoded = system.decode(coded.data, lost)
    ended = time.perf_counter()
    if not np.isfinite(decoded).all():
        raise WavelexError(f"{system.name} gave samples that are NaN or infinite for {item.recording.name}")
    if len(decoded) < SHORTEST_SHARE * len(original):
        given, wanted = len(decoded) / SAMPLE_RATE, len(original) / SAMPLE_RATE
        raise WavelexError(f"{system.name} gave {given:.2f} s for the {wanted:.2f} s of {item.recording.name}; is it the same recording?")
    decoded = from_pcm(to_pcm(decoded))
    kept = {
        "seconds": len(original) / SAMPLE_RATE,
        "bits": coded.bits,
        "bytes": len(coded.data),
        "encode_s": encoded - begun,
        "decode_s": ended - encoded,
        "delay": find_delay(original, decoded),
        "codes": None if coded.codes is None else _squeeze(coded.codes),
        "decoded": hashlib.sha256(decoded.tobytes()).hexdigest(),
    }
    return decoded, kept


def score(item: Item, systems: list[System], metrics: tuple[Metric, ...], cache_path: Path) -> list[Failure]:
    """Measure what the cache lacks, system by system, and keep it at once. Failures come back; they are never scored."""
    failures: list[Failure] = []
    with Cache(cache_path) as cache:
        try:
            original = read_clip(item)
        except WavelexError as error:
            return [Failure(item, system.name, "", str(error)) for system in systems]
        for system in systems:
            failures += _score_system(item, system, metrics, original, cache)
    return failures


def _score_system(item: Item, system: System, metrics: tuple[Metric, ...], original: np.ndarray, cache: Cache) -> Iterator[Failure]:
    try:
        decoded, kept = transcode(item, system, original)
    except WavelexError as error:
        yield Failure(item, system.name, "", str(error))
        return
    except Exception as error:  # a peer's own library may raise anything; the run goes on and says so
        yield Failure(item, system.name, "", f"{system.name} failed: {type(error).__name__}: {error}")
        return
    reference, heard = without_delay(original, decoded, kept["delay"])
    pair = Pair(item.recording, reference, heard, original)
    for metric in metrics:
        key = metric_key(item, kept["decoded"], metric)
        if not metric.applies(item.recording) or cache.get([key]):
            continue
        try:
            cache.put(key, {"values": metric.measure(pair)})
        except WavelexError as error:
            cache.put(key, {"error": str(error)})
        except Exception as error:  # as above, for a metric's library
            yield Failure(item, system.name, metric.name, f"{metric.name} failed: {type(error).__name__}: {error}")
    # Last, so that a coding that is kept has all its metrics tried.
    cache.put(coding_key(item, system), kept)


def _squeeze(codes: np.ndarray) -> dict[str, Any]:
    packed = zlib.compress(codes.astype("<u2").tobytes())
    return {"shape": list(codes.shape), "zlib": base64.b85encode(packed).decode()}


def unsqueeze(kept: dict[str, Any]) -> np.ndarray:
    """Codes (codebooks, frames) as a coding keeps them."""
    flat = np.frombuffer(zlib.decompress(base64.b85decode(kept["zlib"])), "<u2")
    codes: np.ndarray = flat.reshape(kept["shape"]).astype(np.int64)
    return codes
