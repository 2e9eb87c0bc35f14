"""What a `.wlx` file says of itself, and how versions 1 and 2 write it down. Byte by byte in docs/format.md."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO

from wavelex.errors import WavelexError

MAGIC = b"WLX\x1a"
VERSION = 2
BLOCK_FRAMES = 200
CODINGS = ("packed", "context", "neural")
"""How the codes of a block become bytes; a file names one by its place here."""
HIGHEST_RATE = 1_000_000
MOST_BLOCK_FRAMES = 1 << 16
"""Of all streams together; a block is decoded at once, so this bounds what a reader needs."""
_VARIABLE = 0x80
_CRC = struct.Struct("<I")
_V1 = struct.Struct("<8sIIIBBHQQ")
_V2 = struct.Struct("<8s4sBIQ")
"""Weights, prior, coding and flags, frames, length: what has a fixed size, since lengths are filled in at the end."""


@dataclass(frozen=True)
class Header:
    """`length` is in source samples; `frames` is the number of code frames; `prior` is the hash of the prior that the coding needs."""

    model: str
    weights_hash: str
    sample_rate: int
    hop_length: int
    source_rate: int
    streams: int
    codebook_sizes: tuple[int, ...]
    length: int = 0
    frames: int = 0
    block_frames: int = BLOCK_FRAMES
    coding: str = "packed"
    prior: str = "00000000"
    variable: bool = False
    """Whether frames may have fewer codebooks than the file."""
    version: int = VERSION

    @property
    def bits(self) -> list[int]:
        return [max(1, (size - 1).bit_length()) for size in self.codebook_sizes]

    @property
    def block_count(self) -> int:
        return -(-self.frames // self.block_frames)

    def frames_in(self, block: int) -> int:
        return min(self.block_frames, self.frames - block * self.block_frames)

    def seconds_at(self, frame: int) -> float:
        return frame * self.hop_length / self.sample_rate

    def to_bytes(self) -> bytes:
        """As version 2."""
        flags = CODINGS.index(self.coding) | (_VARIABLE if self.variable else 0)
        body = _V2.pack(bytes.fromhex(self.weights_hash), bytes.fromhex(self.prior), flags, self.frames, self.length)
        for number in (self.sample_rate, self.hop_length, self.source_rate, self.streams, self.block_frames):
            body += varint(number)
        # Codebooks are mostly of one size: each size is followed by how many codebooks in a row have it.
        runs: list[list[int]] = []
        for size in self.codebook_sizes:
            if runs and runs[-1][0] == size:
                runs[-1][1] += 1
            else:
                runs.append([size, 1])
        body += varint(len(runs)) + b"".join(varint(size) + varint(count) for size, count in runs)
        head = MAGIC + bytes([VERSION]) + varint(len(body) + len(self.model.encode())) + body + self.model.encode()
        return head + _CRC.pack(zlib.crc32(head))


def varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; all but the last have the top bit set."""
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def read_varint(read: Callable[[int], bytes], most_bytes: int = 5) -> tuple[int, bytes]:
    """The number at the start of what `read` gives, and its bytes. Raises EOFError or ValueError where there is none."""
    raw = b""
    while len(raw) < most_bytes:
        byte = read(1)
        if not byte:
            raise EOFError
        raw += byte
        if byte[0] < 0x80:
            return sum((b & 0x7F) << 7 * i for i, b in enumerate(raw)), raw
    raise ValueError("a number of too many bytes")


def check_header(header: Header, name: str) -> None:
    """Raises WavelexError for what a reader would refuse; frames and length are not known yet when writing begins."""
    if silly := _silly(replace(header, frames=0, length=0)):
        raise WavelexError(f"{name}: a file cannot have {silly}")


def read_header(source: BinaryIO, name: str) -> Header:
    """Raises WavelexError, naming `name`, when it is not that of a readable version or is damaged."""
    mark = source.read(5)
    if mark[:4] != MAGIC:
        raise WavelexError(f"{name}: not a .wlx file (it does not begin with its mark); encode the recording first")
    ends = WavelexError(f"{name}: ends inside its header; copy it again")
    if len(mark) < 5:
        raise ends
    version = mark[4]
    if version not in (1, VERSION):
        raise WavelexError(f"{name}: is .wlx version {version}, this program reads versions 1 and {VERSION}; update wavelex")
    try:
        if version == 1:
            raw = source.read(2)
            size = struct.unpack("<H", raw)[0]
        else:
            size, raw = read_varint(source.read)
    except (struct.error, EOFError) as error:
        raise ends from error
    except ValueError as error:
        raise WavelexError(f"{name}: its header is damaged ({error}); copy it again") from error
    body = source.read(min(size, 1 << 16) + _CRC.size)
    if len(body) < size + _CRC.size:
        raise ends
    if _CRC.unpack(body[size:])[0] != zlib.crc32(mark + raw + body[:size]):
        raise WavelexError(f"{name}: its header is damaged (checksum); copy it again")
    try:
        header = _parse_v1(body[:size]) if version == 1 else _parse_v2(body[:size])
    except (struct.error, UnicodeDecodeError, EOFError, ValueError, IndexError) as error:
        raise WavelexError(f"{name}: its header is not that of version {version} ({error}); encode the recording again") from error
    if silly := _silly(header):
        raise WavelexError(f"{name}: its header says {silly}; encode the recording again")
    return header


def _parse_v1(body: bytes) -> Header:
    weights, rate, hop, source_rate, streams, codebooks, block_frames, length, frames = _V1.unpack_from(body)
    sizes = struct.unpack_from(f"<{codebooks}I", body, _V1.size)
    model = body[_V1.size + 4 * codebooks + 1 :].decode()
    return Header(model, weights.hex(), rate, hop, source_rate, streams, sizes, length, frames, block_frames, version=1)


def _parse_v2(body: bytes) -> Header:
    weights, prior, flags, frames, length = _V2.unpack_from(body)
    place = _V2.size

    def take(count: int) -> bytes:
        nonlocal place
        place += count
        return body[place - count : place]

    rate, hop, source_rate, streams, block_frames, runs = (read_varint(take)[0] for _ in range(6))
    sizes: list[int] = []
    for _ in range(runs):
        size, count = read_varint(take)[0], read_varint(take)[0]
        if count + len(sizes) > 255:
            raise ValueError("over 255 codebooks")
        sizes += [size] * count
    return Header(
        body[place:].decode(),
        weights.hex(),
        rate,
        hop,
        source_rate,
        streams,
        tuple(sizes),
        length,
        frames,
        block_frames,
        CODINGS[flags & ~_VARIABLE],
        prior.hex(),
        bool(flags & _VARIABLE),
    )


def _silly(header: Header) -> str | None:
    """What no encoder can have meant, in a header whose checksum is right."""
    for field in ("sample_rate", "source_rate"):
        if not 100 <= getattr(header, field) <= HIGHEST_RATE:
            return f"{field} {getattr(header, field)}"
    for field in ("hop_length", "streams", "block_frames"):
        if not getattr(header, field):
            return f"{field} 0"
    if not header.codebook_sizes:
        return "no codebooks"
    if not all(2 <= size <= 1 << 24 for size in header.codebook_sizes):
        return f"codebooks of {header.codebook_sizes} codes"
    if header.streams > 255 or header.streams * header.block_frames > MOST_BLOCK_FRAMES:
        return f"{header.streams} streams in blocks of {header.block_frames} frames"
    if not header.model.isprintable():
        return "a name that cannot be printed"
    if header.variable and header.coding == "packed":
        return "packed frames of varying size"
    expected = header.length * header.sample_rate / header.source_rate / header.hop_length
    # Resampling may end a sample early or late.
    if abs(header.frames - expected) > 2:
        return f"{header.length} samples in {header.frames} frames"
    return None
