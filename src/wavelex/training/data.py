"""Training audio: recordings decoded once into one flat file, and batches that are a pure function of their key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavelex.audio.reading import read_audio
from wavelex.audio.resampling import resample
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.objectives.base import Batch

GAINS_DB = (-10.0, 5.0)
"""Between these the level of a clip is changed, so that a codec hears speech of any loudness."""


class PackedAudio:
    """All recordings as int16 at one rate in a memory-mapped file, made once and found again by path, size and time of change."""

    def __init__(self, paths: list[Path], sample_rate: int, cache: Path, progress: Callable[[int], None]) -> None:
        listing = [(str(p.resolve()), *_stamp(p)) for p in paths]
        key = hashlib.sha256(json.dumps([sample_rate, listing]).encode()).hexdigest()[:16]
        self.path, index = cache / f"audio-{key}.i16", cache / f"audio-{key}.recordings.json"
        if not index.exists():
            self._pack(paths, sample_rate, index, progress)
        described = json.loads(index.read_text())
        self.skipped: list[str] = described["skipped"]
        self.starts = np.array(described["starts"], np.int64)
        """The first sample of each recording that could be read."""
        self.digest: str = described["digest"]
        """Of the samples: the same for recordings that were only copied or touched, another for edited ones."""
        self.sample_rate = sample_rate
        if not self.path.stat().st_size:
            why = self.skipped[0] if self.skipped else "they hold no samples"
            raise WavelexError(f"none of the {len(paths)} recordings could be read; the first: {why}")
        self.samples = np.memmap(self.path, np.int16, mode="r")
        self.held: Tensor | None = None

    def _pack(self, paths: list[Path], sample_rate: int, index: Path, progress: Callable[[int], None]) -> None:
        index.parent.mkdir(parents=True, exist_ok=True)
        skipped, starts, digest = [], [0], hashlib.sha256()
        with replacing(self.path) as temporary, temporary.open("wb") as packed:
            for done, path in enumerate(paths):
                try:
                    audio = read_audio(path)
                except WavelexError as error:
                    skipped.append(str(error))
                    continue
                mono = resample(audio.mono()[None], audio.sample_rate, sample_rate)[0]
                samples = (np.clip(mono, -1, 1) * 32767).astype(np.int16).tobytes()
                packed.write(samples)
                digest.update(samples)
                starts.append(starts[-1] + len(mono))
                progress(done + 1)
        with replacing(index) as temporary:
            temporary.write_text(json.dumps({"skipped": skipped, "starts": starts[:-1], "digest": digest.hexdigest()[:16]}))

    @property
    def hours(self) -> float:
        return len(self.samples) / self.sample_rate / 3600

    def hold(self, device: torch.device, most: int) -> None:
        """Keep all samples on a device, where they take at most so many bytes: clips are then cut there."""
        if self.samples.nbytes <= most:
            self.held = torch.from_numpy(np.array(self.samples)).to(device)

    def cut(self, starts: np.ndarray, length: int) -> Tensor:
        """Segments (n, length) in [-1, 1] from the samples at `starts` (n,) on, silent after the end of all recordings."""
        if self.held is not None:
            wanted = torch.from_numpy(starts).to(self.held.device)[:, None] + torch.arange(length, device=self.held.device)
            there = wanted < len(self.held)
            return self.held[torch.where(there, wanted, 0)] * there / 32768
        segments = np.zeros((len(starts), length), np.float32)
        for row, start in enumerate(starts):
            piece = self.samples[start : start + length]
            segments[row, : len(piece)] = piece / np.float32(32768)
        return torch.from_numpy(segments)

    def at(self, positions: np.ndarray) -> np.ndarray:
        """Which recording each of the samples at `positions` (n,) is of, and which sample of it that is: (n, 2)."""
        clips = np.searchsorted(self.starts, positions, side="right") - 1
        return np.stack([clips, positions - self.starts[clips]], axis=1)


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a recording is edited: its size and the time of its last change."""
    try:
        found = path.stat()
    except OSError:
        return (-1, -1)
    return found.st_size, found.st_mtime_ns


def draw_batch(audio: PackedAudio, key: tuple[int, ...], batch: int, length: int, part: int = 0, parts: int = 1) -> Batch:
    """Random segments (batch, 1, length) with random gain: a function of the key alone, so a resumed run sees the same.

    The key is (seed, step), with whatever else is to draw other segments at the same step after it. Segments may cross from one
    recording into the next, which teaches the codec abrupt changes of speaker. Of `parts` batches that are drawn together, one after
    the other, this is number `part`; the others are not read.
    """
    rng = np.random.default_rng(key)
    mine = slice(part * batch, (part + 1) * batch)
    starts = rng.integers(0, max(1, len(audio.samples) - length), parts * batch)[mine]
    decibels = rng.uniform(*GAINS_DB, (parts * batch, 1))[mine]
    segments = audio.cut(starts, length)
    gains = torch.from_numpy(_limited(decibels, segments.abs().amax(1, keepdim=True).cpu().numpy())).to(segments.device)
    return Batch((segments.double() * gains).float()[:, None], torch.from_numpy(audio.at(starts)))


def random_gains(rng: np.random.Generator, clips: np.ndarray) -> np.ndarray:
    """Gains (n, 1) for clips (n, length), none of which makes its clip louder than full scale."""
    return _limited(rng.uniform(*GAINS_DB, (len(clips), 1)), np.abs(clips).max(axis=1, keepdims=True))


def _limited(decibels: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.minimum(10 ** (decibels / 20), 0.99 / np.maximum(peaks, 1e-4))
    return found


def memory_for_audio(device: torch.device) -> int:
    """Bytes of a device that recordings may take: a quarter of what is free on a GPU, none elsewhere."""
    return torch.cuda.mem_get_info(device)[0] // 4 if device.type == "cuda" else 0
