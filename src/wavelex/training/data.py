"""Training audio: recordings decoded once into one flat file, and batches that are a pure function of the step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wavelex.audio.files import read_audio, resample
from wavelex.errors import WavelexError
from wavelex.files import replacing


class PackedAudio:
    """All recordings as int16 at one rate in a memory-mapped file, made once and found again by content listing."""

    def __init__(self, paths: list[Path], sample_rate: int, cache: Path, progress: Callable[[int], None]) -> None:
        listing = [(str(p.resolve()), p.stat().st_size if p.exists() else -1) for p in paths]
        key = hashlib.sha256(json.dumps([sample_rate, listing]).encode()).hexdigest()[:16]
        self.path, index = cache / f"audio-{key}.i16", cache / f"audio-{key}.json"
        if not index.exists():
            self._pack(paths, sample_rate, index, progress)
        described = json.loads(index.read_text())
        self.skipped: list[str] = described["skipped"]
        self.sample_rate = sample_rate
        if not self.path.stat().st_size:
            why = self.skipped[0] if self.skipped else "they hold no samples"
            raise WavelexError(f"none of the {len(paths)} recordings could be read; the first: {why}")
        self.samples = np.memmap(self.path, np.int16, mode="r")

    def _pack(self, paths: list[Path], sample_rate: int, index: Path, progress: Callable[[int], None]) -> None:
        index.parent.mkdir(parents=True, exist_ok=True)
        skipped = []
        with replacing(self.path) as temporary, temporary.open("wb") as packed:
            for done, path in enumerate(paths):
                try:
                    audio = read_audio(path)
                except WavelexError as error:
                    skipped.append(str(error))
                    continue
                mono = resample(audio.mono()[None], audio.sample_rate, sample_rate)[0]
                packed.write((np.clip(mono, -1, 1) * 32767).astype(np.int16).tobytes())
                progress(done + 1)
        with replacing(index) as temporary:
            temporary.write_text(json.dumps({"files": len(paths), "skipped": skipped}))

    @property
    def hours(self) -> float:
        return len(self.samples) / self.sample_rate / 3600


def draw_batch(audio: PackedAudio, step: int, seed: int, batch: int, length: int) -> Tensor:
    """Random segments (batch, 1, length) with random gain: a function of (seed, step) alone, so a resumed run sees the same.

    Segments may cross from one recording into the next, which teaches the codec abrupt changes of speaker.
    """
    rng = np.random.default_rng((seed, step))
    starts = rng.integers(0, max(1, len(audio.samples) - length), batch)
    segments = np.zeros((batch, length), np.float32)
    for row, start in enumerate(starts):
        piece = audio.samples[start : start + length]
        segments[row, : len(piece)] = piece / np.float32(32768)
    gains = 10 ** (rng.uniform(-10, 5, (batch, 1)) / 20)
    ceiling = 0.99 / np.maximum(np.abs(segments).max(axis=1, keepdims=True), 1e-4)
    return torch.from_numpy((segments * np.minimum(gains, ceiling)).astype(np.float32))[:, None]
