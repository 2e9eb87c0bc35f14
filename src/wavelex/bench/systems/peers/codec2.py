"""Codec 2 (D. Rowe) through c2enc and c2dec; 8 kHz inside."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavelex.bench.systems.peers.program import call, debian_version, need
from wavelex.bench.systems.system import Coded, at_rate, from_pcm, to_pcm
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE

FRAMES = {"700C": (28, 0.04), "1200": (48, 0.04), "1600": (64, 0.04), "2400": (48, 0.02), "3200": (64, 0.02)}
"""Bits and seconds of a frame by mode."""
INSIDE = 8000


@dataclass(frozen=True)
class Codec2:
    """A mode; the bits are frames times the mode's bits (c2enc pads each frame to whole bytes)."""

    mode: str
    family: str = "codec2"
    codebook_sizes: tuple[int, ...] = ()
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    def __post_init__(self) -> None:
        if self.mode not in FRAMES:
            raise WavelexError(f"Codec 2 has no mode {self.mode!r}; choose {', '.join(FRAMES)}")
        need("c2enc", "codec2")
        need("c2dec", "codec2")

    @property
    def name(self) -> str:
        return f"codec2-{self.mode}"

    @property
    def latency(self) -> float | None:
        """One frame; its analysis window reaches a little further."""
        return FRAMES[self.mode][1]

    @property
    def frame_rate(self) -> float | None:
        return 1 / FRAMES[self.mode][1]

    @property
    def about(self) -> dict[str, str]:
        return {"codec2": debian_version("codec2"), "command": f"c2enc {self.mode}", "inside": f"{INSIDE} Hz"}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        narrow = at_rate(samples, SAMPLE_RATE, INSIDE)
        with tempfile.TemporaryDirectory() as folder:
            raw, coded = Path(folder) / "in.raw", Path(folder) / "coded.bit"
            raw.write_bytes(to_pcm(narrow))
            call(["c2enc", self.mode, str(raw), str(coded)])
            data = coded.read_bytes()
        bits = FRAMES[self.mode][0]
        return Coded(data, float(len(data) // -(-bits // 8) * bits))

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            coded, decoded = Path(folder) / "coded.bit", Path(folder) / "out.raw"
            coded.write_bytes(data)
            call(["c2dec", self.mode, str(coded), str(decoded)])
            heard = from_pcm(decoded.read_bytes())
        return at_rate(heard, INSIDE, SAMPLE_RATE)
