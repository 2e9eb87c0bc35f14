"""Speex wideband (RFC 5574) through speexenc and speexdec."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavelex.audio.reading import read_audio
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.systems.peers.ogg import payload_bits
from wavelex.bench.systems.peers.program import call, debian_version, need
from wavelex.bench.systems.system import Coded, at_rate
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE

QUALITY = {4: 0, 6: 1, 8: 2, 10: 3, 13: 4}
"""The encoder's quality by nominal kbit/s."""


@dataclass(frozen=True)
class Speex:
    """Constant rate, complexity 10; bits are those of the audio packets."""

    kbps: int
    family: str = "speex"
    latency: float | None = 0.034
    """20 ms frames and 14 ms of look-ahead in wideband."""
    codebook_sizes: tuple[int, ...] = ()
    frame_rate: float | None = 50.0
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    def __post_init__(self) -> None:
        if self.kbps not in QUALITY:
            raise WavelexError(f"Speex wideband has no rate {self.kbps}; choose {', '.join(map(str, QUALITY))}")
        need("speexenc", "speex")
        need("speexdec", "speex")

    @property
    def name(self) -> str:
        return f"speex-{self.kbps}"

    @property
    def about(self) -> dict[str, str]:
        versions = {package: debian_version(package) for package in ("speex", "libspeex1")}
        return {**versions, "command": f"speexenc -w --quality {QUALITY[self.kbps]} --comp 10"}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        with tempfile.TemporaryDirectory() as folder:
            original, coded = Path(folder) / "in.wav", Path(folder) / "coded.spx"
            write_audio(original, Audio(samples[None], SAMPLE_RATE))
            call(["speexenc", "-w", "--quality", str(QUALITY[self.kbps]), "--comp", "10", str(original), str(coded)])
            data = coded.read_bytes()
        return Coded(data, payload_bits(data))

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            coded, decoded = Path(folder) / "coded.spx", Path(folder) / "out.wav"
            coded.write_bytes(data)
            call(["speexdec", str(coded), str(decoded)])
            heard = read_audio(decoded)
        return at_rate(heard.mono(), heard.sample_rate, SAMPLE_RATE)
