"""What targets are fed: valid inputs made in code, and seeded mutations of them that know enough of the formats to get past checksums."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import soundfile
from safetensors.numpy import save

from wavelex.tokens.entropy.packing import pack
from wavelex.tokens.entropy.priors.context import CLASSES, ContextPrior
from wavelex.tokens.entropy.priors.store import FORMAT
from wavelex.tokens.format.container import Writer
from wavelex.tokens.format.header import CODINGS, MAGIC, Header, read_header

MODEL = Header("speech-16k", "f72765e2b80d49ce", 16_000, 320, 16_000, 1, (1024,) * 8)
NUMBERS = (0, 1, 2, 127, 128, 200, 255, 256, 1000, 1 << 15, 1 << 16, 768_000, 1 << 24, 1 << 31, (1 << 32) - 1)


def token_file(header: Header, frames: int, whole: np.ndarray | None = None) -> bytes:
    """A packed file of random codes."""
    buffer = io.BytesIO()
    writer = Writer(buffer, header, globals_=whole)
    writer.write(np.random.default_rng(0).integers(0, min(header.codebook_sizes), (header.streams, len(header.codebook_sizes), frames)))
    writer.close(round(frames * header.hop_length * header.source_rate / header.sample_rate))
    return buffer.getvalue()


def version_1(frames: int) -> bytes:
    """A file as the first version of the program wrote it, by docs/format.md."""
    body = bytes.fromhex(MODEL.weights_hash) + struct.pack("<IIIBBHQQ", 16_000, 320, 16_000, 1, 2, 100, frames * 320, frames)
    head = body + struct.pack("<II", 1024, 1024) + bytes([10]) + b"speech-16k"
    data = MAGIC + struct.pack("<BH", 1, len(head)) + head
    data += struct.pack("<I", zlib.crc32(data))
    for number, start in enumerate(range(0, frames, 100)):
        payload = pack(np.ones((1, 2, min(100, frames - start)), np.int64), (10, 10))
        data += payload + struct.pack("<I", zlib.crc32(struct.pack("<Q", number) + payload))
    return data


def recording(format_: str, subtype: str | None) -> bytes:
    """A tenth of a second of a tone."""
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.sin(np.arange(1600) / 5), 16_000, format=format_, subtype=subtype)
    return buffer.getvalue()


def prior() -> bytes:
    """Small context tables."""
    made = ContextPrior.counted(np.zeros((2, 1, 4), np.int64), np.arange(8).reshape(2, 4) % CLASSES)
    return save(made.tensors, metadata={"format": FORMAT, "kind": "context", "weights": "0011223344556677"})


def checkpoint() -> bytes:
    """One whose weights do not fit, which is known after its header is."""
    header = {"format": "wavelex-codec-1", "name": "x", "design": "speech_16k", "arguments": '{"dim": 12}', "notes": "{}"}
    return save({"x": np.zeros(4, np.float32)}, metadata=header)


def valid_inputs() -> dict[str, list[bytes]]:
    """Of each kind some."""
    small = replace(MODEL, codebook_sizes=(1024, 1024), block_frames=20)
    files = [
        token_file(small, 90),
        token_file(replace(small, codebook_sizes=(1024, 500)), 90),
        token_file(replace(small, version=2), 90),
        token_file(replace(small, streams=3, source_rate=44_100), 45),
        token_file(replace(small, global_sizes=(64, 64)), 45, np.array([[5, 6]])),
        version_1(250),
    ]
    return {
        "tokens": files,
        "prior": [prior()],
        "checkpoint": [checkpoint()],
        "recording": [recording("WAV", "PCM_16"), recording("WAV", "GSM610"), recording("FLAC", None), recording("AIFF", "FLOAT")],
        "manifest": [b'path\ttext\tkind\na.wav\the said "no"\tspeech\nb.wav\t\t\n', b"a.wav\nb.wav\n"],
    }


TARGETS_OF = {
    "tokens": ("header", "load", "salvage", "info"),
    "prior": ("prior",),
    "checkpoint": ("checkpoint",),
    "recording": ("recording",),
    "manifest": ("manifest",),
}


def mutations(seed: int) -> Iterator[tuple[str, bytes]]:
    """Kinds and inputs without end, the same for a seed."""
    rng = random.Random(seed)
    valid = valid_inputs()
    while True:
        kind = rng.choice(list(valid))
        data = mutated(rng, rng.choice(valid[kind]), valid[kind])
        if kind == "tokens" and rng.random() < 0.7:
            data = silly_header(rng, data) if rng.random() < 0.5 else with_checksums(data)
        if kind in ("prior", "checkpoint") and rng.random() < 0.5:
            data = silly_metadata(rng, rng.choice(valid[kind]))
        yield kind, data


def mutated(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A few random changes, most of them near the beginning, where headers are."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(found) + 1) if rng.random() < 0.5 else min(len(found), int(rng.expovariate(1 / 40)))
        change = rng.randrange(6)
        if change == 0 and place < len(found):
            found[place] ^= 1 << rng.randrange(8)
        elif change == 1:
            found[place : place + 4] = struct.pack("<I", rng.choice(NUMBERS))
        elif change == 2:
            del found[place : place + rng.choice((1, 4, 64, 1000))]
        elif change == 3:
            found[place:place] = rng.randbytes(rng.choice((1, 4, 64)))
        elif change == 4:
            other = rng.choice(others)
            cut = rng.randrange(len(other) + 1)
            found[place : place + 100] = other[cut : cut + 100]
        else:
            found[place : place + 8] = rng.choice((bytes(8), b"\xff" * 8))
    return bytes(found)


def silly_header(rng: random.Random, data: bytes) -> bytes:
    """The blocks under a header with a right checksum and other values."""
    try:
        source = io.BytesIO(data)
        header = read_header(source, "seed")
    except Exception:
        return data
    values: dict[str, object] = {}
    for _ in range(rng.choice((1, 2, 3))):
        field = rng.choice(
            ["frames", "length", "block_frames", "streams", "source_rate", "sample_rate", "hop_length", "coding", "variable"]
        )
        values[field] = rng.choice(CODINGS) if field == "coding" else rng.random() < 0.5 if field == "variable" else rng.choice(NUMBERS)
    if rng.random() < 0.3:
        values["codebook_sizes"] = (rng.choice(NUMBERS),) * rng.choice((1, 2, 255))
    header = replace(header, **values, version=max(2, header.version), prior=rng.choice(("d112419d", "83dbcb37", "00000000")))  # type: ignore[arg-type]
    if rng.random() < 0.7:
        header = replace(
            header, length=min(2**64 - 1, header.frames * header.hop_length * header.source_rate // max(1, header.sample_rate))
        )
    return header.to_bytes() + source.read()


def with_checksums(data: bytes) -> bytes:
    """The checksum of a header of version 1 made right again."""
    size = struct.unpack_from("<H", data, 5)[0] + 7 if len(data) > 7 and data[4:5] == b"\x01" else 0
    return data[:size] + struct.pack("<I", zlib.crc32(data[:size])) + data[size + 4 :] if 7 < size < len(data) else data


def silly_metadata(rng: random.Random, data: bytes) -> bytes:
    """A safetensors file whose header says something else and has the size that it says."""
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + size])
    where = header[rng.choice(list(header))]
    key = rng.choice(list(where))
    where[key] = rng.choice(
        ["", "x", "F64", "I8", "BF16", [], [0], [1 << 40], [2, 4], [0, 1 << 40], None, '{"dim": 1e9}', "[" * 1000, "context", "neural"]
    )
    changed = json.dumps(header).encode()
    return struct.pack("<Q", len(changed)) + changed + data[8 + size :]
