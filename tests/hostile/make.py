"""Writes the hostile inputs of this folder: small files that claim what they do not hold, or hold what cannot be."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from pathlib import Path

from wavelex.tokens.format.header import MAGIC, Header
from wavelex.tokens.format.scanning import Payload, block_bytes

MODEL = Header("speech-16k", "f72765e2b80d49ce", 16_000, 320, 16_000, 1, (1024,) * 8, coding="neural", prior="d112419d")


def claiming(frames: int, **more: object) -> bytes:
    """A header of so many frames and the length that fits them."""
    header = replace(MODEL, frames=frames, **more)  # type: ignore[arg-type]
    return replace(header, length=frames * header.hop_length * header.source_rate // header.sample_rate).to_bytes()


def version_1(frames: int) -> bytes:
    body = bytes.fromhex(MODEL.weights_hash) + struct.pack("<IIIBBHQQ", 16_000, 320, 16_000, 1, 2, 200, frames * 320, frames)
    body += struct.pack("<II", 1024, 1024) + bytes([4]) + b"tiny"
    head = MAGIC + struct.pack("<BH", 1, len(body)) + body
    return head + struct.pack("<I", zlib.crc32(head))


def blocks(*numbers: int) -> bytes:
    """Blocks without a payload, a byte of damage after each."""
    return b"".join(block_bytes(number, Payload(b"", False)) + b"\xff" for number in numbers)


def wave(rate: int, samples: int = 200, channels: int = 1) -> bytes:
    data = bytes(2 * samples)
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels & 0xFFFFFFFF, 2 * channels, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tensors(metadata: dict[str, str], values: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A safetensors file."""
    header: dict[str, object] = {"__metadata__": metadata}
    data = b""
    for name, (kind, shape, raw) in values.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def prior(kind: str, **values: tuple[str, list[int], bytes]) -> bytes:
    return tensors({"format": "wavelex-prior-1", "kind": kind, "weights": MODEL.weights_hash}, values)


def checkpoint(arguments: str) -> bytes:
    header = {"format": "wavelex-codec-1", "name": "x", "design": "speech_16k", "arguments": arguments, "notes": "{}"}
    return tensors(header, {"x": ("F32", [1], bytes(4))})


FILES = {
    "billions-of-frames.wlx": claiming(2**32 - 1, block_frames=65536) + blocks(0, 1),
    "billions-of-frames-version-2.wlx": claiming(2**32 - 1, version=2, coding="context", prior="83dbcb37", block_frames=65536),
    "a-million-frames-without-payload.wlx": claiming(1 << 20, block_frames=1 << 16) + blocks(*range(16)).replace(b"\xff", b""),
    "version-1-that-never-ends.wlx": version_1(2**54),
    "millions-of-blocks.wlx": claiming(20_000_000, codebook_sizes=(1024,), block_frames=1),
    "many-damages.wlx": claiming(50_000, codebook_sizes=(1024,), block_frames=1) + blocks(*range(0, 300, 2)),
    "255-streams.wlx": claiming(200, streams=255) + blocks(0),
    "255-codebooks.wlx": claiming(4000, codebook_sizes=(1 << 24,) * 255, coding="packed", block_frames=65536),
    "source-rate.wlx": claiming(4000, source_rate=1_000_000, block_frames=4000) + blocks(0),
    "long-name.wlx": claiming(0, model="n" * 600),
    "name-with-escapes.wlx": claiming(0, model="a\x1b[2J\nb"),
    "rate-1.wav": wave(1),
    "rate-49-million.wav": wave(49_000_000),
    "channels-32767.wav": wave(16_000, channels=32767),
    "quotes.tsv": b'path\ttext\na.wav\t"never closed\nb.wav\tx\n',
    "nul.tsv": b"path\ttext\na\0.wav\tx\n",
    "empty.neural.prior.safetensors": prior("neural", vectors=("I16", [0, 0, 0], b"")),
    "fractions.context.prior.safetensors": prior(
        "context", classes=("F32", [1, 2], struct.pack("<2f", 0.5, 1.5)), frequencies=("F32", [1], bytes(4))
    ),
    "classes.context.prior.safetensors": prior("context", classes=("I16", [1, 2], b"\xff\x7f\0\0"), frequencies=("U16", [1], bytes(2))),
    "width.safetensors": checkpoint('{"dim": 1000000000}'),
    "nested.safetensors": checkpoint("[" * 500),
}

if __name__ == "__main__":
    for name, data in FILES.items():
        (Path(__file__).parent / name).write_bytes(data)
