"""What a codec under test is: samples to bytes and, from the bytes alone, back. Everything is mono at 16 kHz."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wavelex.audio.resampling import resample


@dataclass(frozen=True)
class Coded:
    """What the decoder gets, and what of it counts.

    `bits` are those of the payload (no file or transport headers); None where they are not known, as for reconstructions
    that someone else made. `codes` (codebooks, frames) are given by token codecs, -1 where a frame
    has none of a codebook.
    """

    data: bytes
    bits: float | None
    codes: np.ndarray | None = None


class System(Protocol):
    """A codec at one rate. Picklable and cheap to hold: models are loaded on first use, once a process."""

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """Family and rate, as in opus-6."""

    @property
    def family(self) -> str:
        """Systems of one family are joined in a rate-distortion curve."""

    @property
    def about(self) -> dict[str, str]:
        """Versions, settings and commands: what makes its output what it is."""

    @property
    def latency(self) -> float | None:
        """Algorithmic latency in seconds, if known."""

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        """Of a token codec; else empty."""

    @property
    def frame_rate(self) -> float | None:
        """Frames a second that it works in, if known."""

    @property
    def packet_seconds(self) -> float | None:
        """What is lost with one packet; None for a system that cannot decode with losses here."""

    @property
    def codes_any_clip(self) -> bool:
        """False for a set of reconstructions, which cannot be timed."""

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        """Samples (T,) to bytes; `name` is the recording's. Raises WavelexError when it cannot."""

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        """Bytes to samples (T,), without the packets where `lost` (packets,) is true. Raises WavelexError when it cannot."""


@dataclass(frozen=True)
class Original:
    """No codec: 16-bit samples there and back. The row that shows what every metric says of a perfect copy."""

    name: str = "original"
    family: str = "original"
    latency: float | None = 0.0
    codebook_sizes: tuple[int, ...] = ()
    frame_rate: float | None = None
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    @property
    def about(self) -> dict[str, str]:
        return {"settings": "16-bit samples at 16 kHz"}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        data = to_pcm(samples)
        return Coded(data, 8.0 * len(data))

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        return from_pcm(data)


def at_rate(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Samples (T,) at another rate."""
    resampled: np.ndarray = resample(samples[None], from_rate, to_rate)[0]
    return resampled


def to_pcm(samples: np.ndarray) -> bytes:
    """Samples in [-1, 1] as 16-bit little-endian; values beyond are clipped."""
    return np.clip(np.round(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()


def from_pcm(data: bytes) -> np.ndarray:
    """The inverse of `to_pcm`."""
    samples: np.ndarray = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    return samples
