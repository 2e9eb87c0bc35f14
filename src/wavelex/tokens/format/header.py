"""What a `.wlx` file says of itself, and how versions 1 to 3 write it down. Byte by byte in docs/format.md."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from wavelex.audio.samples import HIGHEST_RATE, LOWEST_RATE
from wavelex.errors import WavelexError
from wavelex.tokens.entropy.priors.store import CODINGS

MAGIC = b"WLX\x1a"
VERSION = 3
"""The newest; what a header is written as unless it says 2."""
WRITTEN_VERSIONS = (2, 3)
BLOCK_SECONDS = 4.0
"""Of frames that are coded together, where nothing else is asked for."""
MOST_BLOCK_FRAMES = 1 << 16
"""Of all streams together."""
MOST_BLOCK_CODES = 1 << 20
"""Of all streams and codebooks together; a block is decoded at once, so this bounds what a reader needs."""
MOST_NAME_BYTES = 255
_VARIABLE = 0x80
_GLOBALS = 0x40
_CRC = struct.Struct("<I")
_V1 = struct.Struct("<8sIIIBBHQQ")
_FIXED = struct.Struct("<8s4sBIQ")
"""Weights, prior, coding and flags, frames, length: what has a fixed size, since lengths are filled in at the end."""


@dataclass(frozen=True)
class Header:
    """`length` is in source samples; `frames` is the number of code frames; `prior` is the hash of the prior that the coding needs.

    A version 3 file ends in a checksum of its codes; version 2 is written where `version` says so.
    """

    model: str
    weights_hash: str
    sample_rate: int
    hop_length: int
    source_rate: int
    streams: int
    codebook_sizes: tuple[int, ...]
    length: int = 0
    frames: int = 0
    block_frames: int = 200
    coding: str = "packed"
    prior: str = "00000000"
    variable: bool = False
    """Whether frames may have fewer codebooks than the file."""
    version: int = VERSION
    global_sizes: tuple[int, ...] = ()
    """Codebooks of the codes that each stream has once for the whole recording (a speaker, for one); they need version 3."""

    @property
    def bits(self) -> list[int]:
        return bits_of(self.codebook_sizes)

    @property
    def block_count(self) -> int:
        return -(-self.frames // self.block_frames)

    def frames_in(self, block: int) -> int:
        return min(self.block_frames, self.frames - block * self.block_frames)

    def seconds_at(self, frame: int) -> float:
        return frame * self.hop_length / self.sample_rate

    def to_bytes(self) -> bytes:
        """As version 3, or 2 if it is that."""
        flags = CODINGS.index(self.coding) | (_VARIABLE if self.variable else 0) | (_GLOBALS if self.global_sizes else 0)
        body = _FIXED.pack(bytes.fromhex(self.weights_hash), bytes.fromhex(self.prior), flags, self.frames, self.length)
        for number in (self.sample_rate, self.hop_length, self.source_rate, self.streams, self.block_frames):
            body += varint(number)
        body += _runs(self.codebook_sizes) + (_runs(self.global_sizes) if self.global_sizes else b"")
        head = MAGIC + bytes([self.version]) + varint(len(body) + len(self.model.encode())) + body + self.model.encode()
        return head + _CRC.pack(zlib.crc32(head))


def block_frames_at(frame_rate: float) -> int:
    """Frames of a block of BLOCK_SECONDS: an even number, for frames that share their number of codebooks are kept together."""
    return max(2, 2 * round(BLOCK_SECONDS * frame_rate / 2))


def bits_of(sizes: Sequence[int]) -> list[int]:
    """Bits that hold a code of each codebook."""
    return [max(1, (size - 1).bit_length()) for size in sizes]


def _runs(sizes: Sequence[int]) -> bytes:
    """Codebooks are mostly of one size: each size is followed by how many codebooks in a row have it."""
    runs: list[list[int]] = []
    for size in sizes:
        if runs and runs[-1][0] == size:
            runs[-1][1] += 1
        else:
            runs.append([size, 1])
    return varint(len(runs)) + b"".join(varint(size) + varint(count) for size, count in runs)


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


def check_header(header: Header, name: str, finished: bool = False) -> None:
    """Raises WavelexError for what a reader would refuse; frames and length are not known yet before the writing is `finished`."""
    if header.version not in WRITTEN_VERSIONS:
        raise WavelexError(f"{name}: .wlx version {header.version} is not written; choose from {WRITTEN_VERSIONS}")
    if silly := _silly(header if finished else replace(header, frames=0, length=0)):
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
    if not 1 <= version <= VERSION:
        raise WavelexError(f"{name}: is .wlx version {version}, this program reads versions 1 to {VERSION}; update wavelex")
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
        header = _parse_v1(body[:size]) if version == 1 else _parse(body[:size], version)
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


def _parse(body: bytes, version: int) -> Header:
    """The body of version 2 or 3."""
    weights, prior, flags, frames, length = _FIXED.unpack_from(body)
    place = _FIXED.size

    def take(count: int) -> bytes:
        nonlocal place
        place += count
        return body[place - count : place]

    def number() -> int:
        return read_varint(take)[0]

    def sizes() -> tuple[int, ...]:
        found: list[int] = []
        for _ in range(number()):
            size, count = number(), number()
            if count + len(found) > 255:
                raise ValueError("over 255 codebooks")
            found += [size] * count
        return tuple(found)

    rate, hop, source_rate, streams, block_frames = (number() for _ in range(5))
    codebook_sizes = sizes()
    known = _VARIABLE | (_GLOBALS if version > 2 else 0)
    global_sizes = sizes() if flags & known & _GLOBALS else ()
    return Header(
        model=body[place:].decode(),
        weights_hash=weights.hex(),
        sample_rate=rate,
        hop_length=hop,
        source_rate=source_rate,
        streams=streams,
        codebook_sizes=codebook_sizes,
        length=length,
        frames=frames,
        block_frames=block_frames,
        coding=CODINGS[flags & ~known],
        prior=prior.hex(),
        variable=bool(flags & _VARIABLE),
        version=version,
        global_sizes=global_sizes,
    )


def _silly(header: Header) -> str | None:
    """What no encoder can have meant, in a header whose checksum is right."""
    for field in ("sample_rate", "source_rate"):
        if not LOWEST_RATE <= getattr(header, field) <= HIGHEST_RATE:
            return f"{field} {getattr(header, field)}"
    for field in ("hop_length", "streams", "block_frames"):
        if not getattr(header, field):
            return f"{field} 0"
    if not header.codebook_sizes:
        return "no codebooks"
    for size in (*header.codebook_sizes, *header.global_sizes):
        if not 2 <= size <= 1 << 24:
            return f"codebooks of {size} codes"
    if header.global_sizes and header.version < 3:
        return f"codes of the whole recording in version {header.version}"
    if max(len(header.codebook_sizes), len(header.global_sizes)) > 255:
        return "over 255 codebooks"
    frames = header.streams * header.block_frames
    if header.streams > 255 or frames > MOST_BLOCK_FRAMES or frames * len(header.codebook_sizes) > MOST_BLOCK_CODES:
        return f"{header.streams} streams in blocks of {header.block_frames} frames of {len(header.codebook_sizes)} codebooks"
    if len(header.model.encode()) > MOST_NAME_BYTES:
        return f"a model's name of over {MOST_NAME_BYTES} bytes"
    if not header.model.isprintable():
        return "a name that cannot be printed"
    if header.variable and header.coding == "packed":
        return "packed frames of varying size"
    expected = header.length * header.sample_rate / header.source_rate / header.hop_length
    # Resampling may end a sample early or late.
    if abs(header.frames - expected) > 2:
        return f"{header.length} samples at {header.source_rate} Hz in {header.frames} frames, which hold {_samples_in(header)}"
    return None


def _samples_in(header: Header) -> int:
    return round(header.frames * header.hop_length * header.source_rate / header.sample_rate)
