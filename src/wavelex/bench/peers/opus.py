"""Opus through opusenc and opusdec."""

from __future__ import annotations

import tempfile
from pathlib import Path

from wavelex.audio import Audio, read_audio, write_audio
from wavelex.bench.evaluation import Transcoder
from wavelex.bench.peers.program import call, need


def opus(kbps: int) -> Transcoder:
    """Transcoder at an asked-for rate: variable rate, complexity 10, 20 ms frames; bits are those of the audio packets."""
    need("opusenc", "opus-tools")

    def run(audio: Audio) -> tuple[Audio, float]:
        with tempfile.TemporaryDirectory() as folder:
            original, coded, decoded = (Path(folder) / name for name in ("in.wav", "coded.opus", "out.wav"))
            write_audio(original, audio)
            asked = ["--bitrate", str(kbps), "--speech", "--comp", "10", "--framesize", "20"]
            call(["opusenc", "--quiet", *asked, str(original), str(coded)])
            call(["opusdec", "--quiet", "--rate", str(audio.sample_rate), "--force-wav", str(coded), str(decoded)])
            heard, packets = read_audio(decoded), ogg_packet_sizes(coded.read_bytes())
        # The first two packets are Ogg's own headers.
        return heard, 8.0 * sum(packets[2:])

    return run


def ogg_packet_sizes(data: bytes) -> list[int]:
    """Bytes of each packet in an Ogg file of one stream (RFC 3533, section 6)."""
    sizes, current, position = [], 0, 0
    while data[position : position + 4] == b"OggS":
        segments = data[position + 27 : position + 27 + data[position + 26]]
        for segment in segments:
            current += segment
            if segment < 255:
                sizes.append(current)
                current = 0
        position += 27 + len(segments) + sum(segments)
    return sizes
