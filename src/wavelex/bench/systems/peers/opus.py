"""Opus (RFC 6716) through opusenc and opusdec."""

from __future__ import annotations

import ctypes
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavelex.audio.reading import read_audio
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.systems.peers.ogg import packets, payload_bits
from wavelex.bench.systems.peers.program import call, debian_version, need
from wavelex.bench.systems.system import Coded, at_rate, from_pcm
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE

SETTINGS = ["--speech", "--comp", "10", "--framesize", "20"]


@dataclass(frozen=True)
class Opus:
    """Variable rate around the kbit/s asked for; bits are those of the audio packets."""

    kbps: int
    family: str = "opus"
    latency: float | None = 0.0265
    """20 ms frames and 6.5 ms of look-ahead."""
    codebook_sizes: tuple[int, ...] = ()
    frame_rate: float | None = 50.0
    packet_seconds: float | None = 0.02
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
        if lost is not None:
            return _decode_with_losses(packets(data), lost)
        with tempfile.TemporaryDirectory() as folder:
            coded, decoded = Path(folder) / "coded.opus", Path(folder) / "out.wav"
            coded.write_bytes(data)
            call(["opusdec", "--quiet", "--rate", str(SAMPLE_RATE), "--force-wav", str(coded), str(decoded)])
            heard = read_audio(decoded)
        return at_rate(heard.mono(), heard.sample_rate, SAMPLE_RATE)


def _decode_with_losses(packets: list[bytes], lost: np.ndarray) -> np.ndarray:
    """libopus's own concealment where a packet is lost (opus_decode without data), the decoder that opusdec uses too."""
    try:
        library = ctypes.CDLL("libopus.so.0")
    except OSError as error:
        raise WavelexError("the peer library libopus.so.0 is not installed; apt-get install libopus0") from error
    library.opus_decoder_create.restype = ctypes.c_void_p
    decoder = ctypes.c_void_p(library.opus_decoder_create(SAMPLE_RATE, 1, None))
    hop = SAMPLE_RATE // 50
    # The first packet says how many samples of 48 kHz the encoder put before the recording (RFC 7845, section 5.1).
    skipped = struct.unpack_from("<H", packets[0], 10)[0] * SAMPLE_RATE // 48_000
    buffer, heard = ctypes.create_string_buffer(2 * hop), []
    for index, packet in enumerate(packets[2:]):
        gone = index < len(lost) and lost[index]
        given = library.opus_decode(decoder, None if gone else packet, 0 if gone else len(packet), buffer, hop, 0)
        if given != hop:
            raise WavelexError(f"libopus gave {given} for a packet of {len(packet)} bytes")
        heard.append(buffer.raw)
    library.opus_decoder_destroy(decoder)
    return from_pcm(b"".join(heard))[skipped:]
