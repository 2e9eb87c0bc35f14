"""The `.wlx` file, version 1: a checked header, then blocks of packed codes, each with its own checksum.

Every block but the last has the same size, so a damaged one never hides the next. Byte by byte in docs/format.md.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from wavelex.bitstream.packing import pack, packed_size, unpack
from wavelex.errors import WavelexError

MAGIC = b"WLX\x1a"
VERSION = 1
BLOCK_FRAMES = 100
MOST_MISSING = 1_000_000
"""Blocks; a header that promises more than that beyond the end of the file is not worth filling with silence."""
HIGHEST_RATE = 1_000_000
_PREFIX = struct.Struct("<4sBH")
_FIXED = struct.Struct("<8sIIIBBHQQ")
_CRC = struct.Struct("<I")


@dataclass(frozen=True)
class Header:
    """What a file says of itself. `length` is in source samples; `frames` is the number of code frames."""

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
        name = self.model.encode()
        body = _FIXED.pack(
            bytes.fromhex(self.weights_hash),
            self.sample_rate,
            self.hop_length,
            self.source_rate,
            self.streams,
            len(self.codebook_sizes),
            self.block_frames,
            self.length,
            self.frames,
        )
        body += struct.pack(f"<{len(self.codebook_sizes)}I", *self.codebook_sizes) + bytes([len(name)]) + name
        head = _PREFIX.pack(MAGIC, VERSION, len(body)) + body
        return head + _CRC.pack(zlib.crc32(head))


@dataclass(frozen=True)
class Damage:
    """One damaged or missing stretch of a file."""

    block: int
    reason: str


class Writer:
    """Writes a header and then codes as they come. The target must be seekable: the lengths are filled in by `close`."""

    def __init__(self, target: BinaryIO, header: Header) -> None:
        self._target, self._header = target, header
        self._held = np.zeros((header.streams, len(header.codebook_sizes), 0), np.int64)
        self._blocks = self._frames = 0
        target.write(header.to_bytes())

    def write(self, codes: np.ndarray) -> None:
        """Append codes (streams, codebooks, any number of frames)."""
        self._frames += codes.shape[2]
        self._held = np.concatenate([self._held, codes], axis=2)
        while self._held.shape[2] >= self._header.block_frames:
            self._write_block(self._held[:, :, : self._header.block_frames])
            self._held = self._held[:, :, self._header.block_frames :]

    def close(self, length: int) -> None:
        """Write what is held back and the final lengths; `length` is in source samples."""
        if self._held.shape[2]:
            self._write_block(self._held)
        end = self._target.tell()
        self._target.seek(0)
        self._target.write(replace(self._header, length=length, frames=self._frames).to_bytes())
        self._target.seek(end)

    def _write_block(self, codes: np.ndarray) -> None:
        payload = pack(codes, self._header.bits)
        self._target.write(payload + _CRC.pack(_checksum(self._blocks, payload)))
        self._blocks += 1


class Reader:
    """Reads a header at once and blocks one by one.

    Raises WavelexError, naming `name`, when the header is not that of a readable version or is damaged.
    """

    def __init__(self, source: BinaryIO, name: str) -> None:
        self._source, self.name = source, name
        self.header = _read_header(source, name)

    def blocks(self) -> Iterator[tuple[int, np.ndarray | Damage]]:
        """Each block's number of frames with its codes, or with what is wrong with it."""
        header = self.header
        for block in range(header.block_count):
            frames = header.frames_in(block)
            size = packed_size(frames, header.streams, header.bits)
            data = self._source.read(size + _CRC.size)
            if len(data) < size + _CRC.size:
                if not data and block and header.block_count - block > MOST_MISSING:
                    raise WavelexError(
                        f"{self.name}: {header.block_count - block} of its {header.block_count} blocks are missing; copy it again"
                    )
                yield frames, Damage(block, "missing: the file ends before it")
            elif _CRC.unpack(data[size:])[0] != _checksum(block, data[:size]):
                yield frames, Damage(block, "damaged: its checksum does not match")
            else:
                yield frames, unpack(data[:size], header.streams, header.bits, frames)

    def codes(self, salvage: bool = False) -> Iterator[np.ndarray]:
        """Codes (streams, codebooks, frames) block by block; lost blocks are -1 when salvaging.

        Raises WavelexError at the first damage unless `salvage`.
        """
        header = self.header
        for frames, block in self.blocks():
            if isinstance(block, Damage):
                if not salvage:
                    raise WavelexError(f"{self.name}: {self.describe(block)}; decode the rest with --salvage")
                block = np.full((header.streams, len(header.codebook_sizes), frames), -1, np.int64)
            yield block
        if not salvage and (excess := self.excess()):
            raise WavelexError(f"{self.name}: {excess} (--salvage ignores them)")

    def excess(self) -> str | None:
        """What is wrong after the last block, once all blocks are read."""
        return "has bytes after its last block; it was changed after writing" if self._source.read(1) else None

    def describe(self, damage: Damage) -> str:
        """Where and how, for people."""
        first = damage.block * self.header.block_frames
        start, end = self.header.seconds_at(first), self.header.seconds_at(first + self.header.frames_in(damage.block))
        return f"block {damage.block + 1} of {self.header.block_count} ({start:.1f} to {end:.1f} s) is {damage.reason}"


def _checksum(block: int, payload: bytes) -> int:
    # The block's number is part of what is checked, so that swapped blocks are noticed.
    return zlib.crc32(payload, zlib.crc32(struct.pack("<Q", block)))


def _read_header(source: BinaryIO, name: str) -> Header:
    prefix = source.read(_PREFIX.size)
    if prefix[:4] != MAGIC:
        raise WavelexError(f"{name}: not a .wlx file (it does not begin with its mark); encode the recording first")
    if len(prefix) < _PREFIX.size:
        raise WavelexError(f"{name}: ends inside its header; copy it again")
    _, version, size = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise WavelexError(f"{name}: is .wlx version {version}, this program reads version {VERSION}; update wavelex")
    body = source.read(size + _CRC.size)
    if len(body) < size + _CRC.size:
        raise WavelexError(f"{name}: ends inside its header; copy it again")
    if _CRC.unpack(body[size:])[0] != zlib.crc32(prefix + body[:size]):
        raise WavelexError(f"{name}: its header is damaged (checksum); copy it again")
    try:
        weights, rate, hop, source_rate, streams, codebooks, block_frames, length, frames = _FIXED.unpack_from(body)
        sizes = struct.unpack_from(f"<{codebooks}I", body, _FIXED.size)
        model = body[_FIXED.size + 4 * codebooks + 1 : size].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise WavelexError(f"{name}: its header is not that of version {VERSION} ({error}); encode the recording again") from error
    header = Header(model, weights.hex(), rate, hop, source_rate, streams, sizes, length, frames, block_frames)
    if silly := _silly(header):
        raise WavelexError(f"{name}: its header says {silly}; encode the recording again")
    return header


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
    expected = header.length * header.sample_rate / header.source_rate / header.hop_length
    # Resampling may end a sample early or late.
    if abs(header.frames - expected) > 2:
        return f"{header.length} samples in {header.frames} frames"
    return None
