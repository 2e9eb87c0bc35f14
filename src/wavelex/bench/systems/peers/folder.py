"""Reconstructions that someone else made, such as those of a published demo page: files matched to the originals by name."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from wavelex.audio.reading import find_audio, read_audio
from wavelex.bench.systems.system import Coded, at_rate
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE


@dataclass(frozen=True)
class Folder:
    """A folder of audio files. `kbps` is what its makers say; nothing here can check it."""

    path: Path
    kbps: float | None = None
    latency: float | None = None
    codebook_sizes: tuple[int, ...] = ()
    frame_rate: float | None = None
    packet_seconds: float | None = None
    codes_any_clip: bool = False

    def __post_init__(self) -> None:
        if not self.path.is_dir() or not find_audio(self.path):
            raise WavelexError(f"{self.path}: is not a folder of reconstructions; give one with audio files named as the originals")

    @property
    def name(self) -> str:
        return f"folder:{self.path.name}"

    @property
    def family(self) -> str:
        return self.name

    @property
    def about(self) -> dict[str, str]:
        said = "unknown" if self.kbps is None else f"{self.kbps:g} kbit/s, as labelled"
        return {"folder": self.path.name, "content": _content(self.path), "rate": said}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        data = self._match(name).read_bytes()
        return Coded(data, None if self.kbps is None else 1000 * self.kbps * len(samples) / SAMPLE_RATE)

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        heard = read_audio(io.BytesIO(data))
        return at_rate(heard.mono(), heard.sample_rate, SAMPLE_RATE)

    def _match(self, name: str) -> Path:
        wanted = Path(name).with_suffix("")
        files = find_audio(self.path)
        exact = [path for path in files if path.relative_to(self.path).with_suffix("") == wanted]
        found = exact or [path for path in files if path.stem == wanted.name]
        if not found:
            raise WavelexError(f"{self.path}: holds no reconstruction of {name}; name it {wanted.name}.wav")
        if len(found) > 1:
            raise WavelexError(f"{self.path}: holds {len(found)} reconstructions of {name}; leave one")
        return found[0]


@cache
def _content(folder: Path) -> str:
    """Hash of all its files with their names."""
    digest = hashlib.sha256()
    for path in find_audio(folder):
        digest.update(str(path.relative_to(folder)).encode(errors="replace") + path.read_bytes())
    return digest.hexdigest()[:16]
