"""Opus (RFC 6716) through opusenc and opusdec."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavelex.audio import Audio, read_audio, write_audio
from wavelex.bench.metrics.base import SAMPLE_RATE
from wavelex.bench.peers.ogg import payload_bits
from wavelex.bench.peers.program import call, debian_version, need
from wavelex.bench.system import Coded, at_rate

SETTINGS = ["--speech", "--comp", "10", "--framesize", "20"]


@dataclass(frozen=True)
class Opus:
    """Variable rate around the kbit/s asked for; bits are those of the audio packets."""

    kbps: int
    family: str = "opus"
    latency: float | None = 0.0265
    """20 ms frames and 6.5 ms of look-ahead."""
    codebook_sizes: tuple[int, ...] = ()
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    def __post_init__(self) -> None:
        need("opusenc", "opus-tools")
        need("opusdec", "opus-tools")

    @property
    def name(self) -> str:
        return f"opus-{self.kbps}"

    @property
    def about(self) -> dict[str, str]:
        versions = {package: debian_version(package) for package in ("opus-tools", "libopus0")}
        return {**versions, "command": f"opusenc --bitrate {self.kbps} {' '.join(SETTINGS)}"}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        with tempfile.TemporaryDirectory() as folder:
            original, coded = Path(folder) / "in.wav", Path(folder) / "coded.opus"
            write_audio(original, Audio(samples[None], SAMPLE_RATE))
            call(["opusenc", "--quiet", "--bitrate", str(self.kbps), *SETTINGS, str(original), str(coded)])
            data = coded.read_bytes()
        return Coded(data, payload_bits(data))

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            coded, decoded = Path(folder) / "coded.opus", Path(folder) / "out.wav"
            coded.write_bytes(data)
            call(["opusdec", "--quiet", "--rate", str(SAMPLE_RATE), "--force-wav", str(coded), str(decoded)])
            heard = read_audio(decoded)
        return at_rate(heard.mono(), heard.sample_rate, SAMPLE_RATE)
