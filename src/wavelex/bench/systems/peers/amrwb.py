"""AMR-WB (3GPP TS 26.171) through the libraries vo-amrwbenc and opencore-amrwb."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

import numpy as np

from wavelex.bench.systems.peers.program import debian_version
from wavelex.bench.systems.system import Coded, from_pcm, to_pcm
from wavelex.errors import WavelexError

SPEECH_BITS = {"6.60": 132, "8.85": 177, "12.65": 253, "14.25": 285, "15.85": 317, "18.25": 365, "19.85": 397, "23.05": 461, "23.85": 477}
"""Bits of a frame by mode (table 2 of TS 26.201)."""
HOP = 320
FRAME_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61)
"""Bytes of a frame with its header in the file format (RFC 4867, section 5.3), by mode."""
PACKAGES = {"libvo-amrwbenc.so.0": "libvo-amrwbenc0", "libopencore-amrwb.so.0": "libopencore-amrwb0"}


@dataclass(frozen=True)
class AmrWb:
    """A mode without silence compression; the bits are frames times the mode's speech bits."""

    mode: str
    family: str = "amrwb"
    latency: float | None = 0.025
    """20 ms frames and 5 ms of look-ahead."""
    codebook_sizes: tuple[int, ...] = ()
    frame_rate: float | None = 50.0
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    def __post_init__(self) -> None:
        if self.mode not in SPEECH_BITS:
            raise WavelexError(f"AMR-WB has no mode {self.mode!r}; choose {', '.join(SPEECH_BITS)}")
        for library in PACKAGES:
            _library(library)

    @property
    def name(self) -> str:
        return f"amrwb-{self.mode}"

    @property
    def about(self) -> dict[str, str]:
        return {package: debian_version(package) for package in PACKAGES.values()} | {"mode": self.mode, "silence compression": "off"}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        library = _library("libvo-amrwbenc.so.0")
        library.E_IF_init.restype = ctypes.c_void_p
        # One frame more than the signal fills, since the decoder lags behind.
        frames = -(-len(samples) // HOP) + 1
        pcm = to_pcm(np.pad(samples, (0, frames * HOP - len(samples))))
        index = list(SPEECH_BITS).index(self.mode)
        state, buffer, coded = ctypes.c_void_p(library.E_IF_init()), ctypes.create_string_buffer(64), []
        for start in range(0, len(pcm), 2 * HOP):
            size = library.E_IF_encode(state, index, pcm[start : start + 2 * HOP], buffer, 0)
            coded.append(buffer.raw[:size])
        library.E_IF_exit(state)
        return Coded(b"".join(coded), float((frames - 1) * SPEECH_BITS[self.mode]))

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        library = _library("libopencore-amrwb.so.0")
        library.D_IF_init.restype = ctypes.c_void_p
        state, buffer, heard = ctypes.c_void_p(library.D_IF_init()), ctypes.create_string_buffer(2 * HOP), []
        size = FRAME_BYTES[list(SPEECH_BITS).index(self.mode)]
        for start in range(0, len(data), size):
            library.D_IF_decode(state, data[start : start + size], buffer, 0)
            heard.append(buffer.raw)
        library.D_IF_exit(state)
        return from_pcm(b"".join(heard))


@cache
def _library(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise WavelexError(f"the peer library {name} is not installed; apt-get install {PACKAGES[name]}") from error
