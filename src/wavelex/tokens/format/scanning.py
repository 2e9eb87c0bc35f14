"""The blocks of a `.wlx` file as bytes: each with its checksum, and found again after damage."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from wavelex.tokens.entropy.packing import packed_size
from wavelex.tokens.format.crc import numbers_of, prefix_checksums, stretch_checksums
from wavelex.tokens.format.header import Header, bits_of, read_varint, varint

MOST_SEARCHED = 1_000_000
"""Blocks that an intact one is recognised among after damage."""
LARGEST_SEARCHED = 1 << 20
"""Bytes; larger blocks are not found again after damage."""
CODE_BITS = 25
"""Range coding spends at most 24 bits on an alternative, and rounds."""
WINDOW = 1 << 17
CRC = struct.Struct("<I")
MISSING = "missing: the file ends before it"
DAMAGED = "damaged: its checksum does not match"
_VARINT_BYTES = 5


@dataclass(frozen=True)
class Damage:
    """One damaged or missing stretch of a file."""

    block: int
    reason: str


@dataclass(frozen=True)
class Payload:
    """What a block holds."""

    data: bytes
    packed: bool
    """Whatever the file's coding is."""


def block_bytes(block: int, payload: Payload) -> bytes:
    """A block as versions 2 and 3 write it."""
    size = varint(len(payload.data) << 1 | payload.packed)
    return size + payload.data + CRC.pack(zlib.crc32(payload.data) ^ zlib.crc32(struct.pack("<Q", block)))


def globals_size(header: Header) -> int:
    """Bytes at the head of every block for the codes of the whole recording."""
    return packed_size(1, header.streams, bits_of(header.global_sizes))


class Scanner:
    """Goes once through the blocks of a file whose header is read, from where `source` is."""

    def __init__(self, source: BinaryIO, header: Header) -> None:
        self._source, self._header = source, header
        self.between = False
        """Whether there were bytes between blocks that belong to none."""
        self._window = range(0)
        self._places: list[int] = []
        self._numbers: list[int] = []
        symbols = header.streams * header.block_frames * (len(header.codebook_sizes) + 1)
        packed = packed_size(header.block_frames, header.streams, header.bits)
        # Only varying frames cannot fall back on being packed.
        coded = symbols * CODE_BITS // 8 if header.variable else packed
        self._largest = 64 + globals_size(header) + max(coded, packed)

    def payloads(self) -> Iterator[tuple[int, Payload | Damage]]:
        """Each block's number with its bytes, if they are intact."""
        header, source = self._header, self._source
        block = 0
        while block < header.block_count:
            begin = source.tell()
            payload, reason = self._read(block)
            if payload is not None:
                yield block, payload
                block += 1
                continue
            found = self._find(begin, block)
            intact, place = found if found else (header.block_count, None)
            self.between |= intact == block
            for lost in range(block, intact):
                yield lost, Damage(lost, reason)
            block = intact
            source.seek(0, 2) if place is None else source.seek(place)

    def _read(self, block: int) -> tuple[Payload | None, str]:
        header = self._header
        packed = True
        if header.version == 1:
            size = packed_size(header.frames_in(block), header.streams, header.bits)
        else:
            try:
                number = read_varint(self._source.read, _VARINT_BYTES)[0]
            except EOFError:
                return None, MISSING
            except ValueError:
                return None, DAMAGED
            size, packed = number >> 1, bool(number & 1)
        if size > self._largest:
            return None, DAMAGED
        data = self._source.read(size + CRC.size)
        if len(data) < size + CRC.size:
            return None, MISSING
        if CRC.unpack(data[size:])[0] != _checksum(block, data[:size], header.version):
            return None, DAMAGED
        return Payload(data[:size], packed), ""

    def _find(self, begin: int, first: int) -> tuple[int, int] | None:
        """The next intact block, `first` or one after it, and where it starts, from `begin` on."""
        header = self._header
        if header.version == 1:
            # All blocks have one size, so each is where it is whatever happened to those before.
            size = packed_size(header.block_frames, header.streams, header.bits) + CRC.size
            return (first + 1, begin + size) if first + 1 < header.block_count else None
        while True:
            if begin not in self._window and not self._look(begin):
                return None
            # What is passed over here lies before what is found, so no place is ever looked at again.
            for index in range(bisect_left(self._places, begin), len(self._places)):
                if first <= self._numbers[index] < first + MOST_SEARCHED:
                    return self._numbers[index], self._places[index]
            begin = self._window.stop

    def _look(self, begin: int) -> bool:
        """Note all intact blocks that start in the window from `begin` on; whether there is anything there."""
        largest = min(self._largest, LARGEST_SEARCHED)
        starts = max(WINDOW, largest)
        self._source.seek(begin)
        data = self._source.read(starts + _VARINT_BYTES + largest + CRC.size)
        places, numbers = recognized(data, starts, largest)
        known = numbers < self._header.block_count
        self._window = range(begin, begin + starts)
        self._places, self._numbers = (begin + places[known]).tolist(), numbers[known].tolist()
        return bool(data)


def recognized(data: bytes, starts: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Where in the first `starts` bytes intact blocks of at most `largest` bytes begin, and their numbers: (n,) each."""
    starts = min(starts, len(data))
    raw = np.frombuffer(data + bytes(_VARINT_BYTES), np.uint8)
    value, size_bytes = np.zeros(starts, np.int64), np.zeros(starts, np.int64)
    for place in range(_VARINT_BYTES):
        byte = raw[place : place + starts]
        open_ = size_bytes == 0
        value += np.where(open_, (byte & 0x7F).astype(np.int64) << 7 * place, 0)
        size_bytes[open_ & (byte < 0x80)] = place + 1
    begins, sizes = np.arange(starts) + size_bytes, value >> 1
    fits = (size_bytes > 0) & (sizes <= largest) & (begins + sizes + CRC.size <= len(data))
    found, begins, sizes = np.flatnonzero(fits), begins[fits], sizes[fits]
    ends = begins + sizes
    stored = sum(raw[ends + place].astype(np.uint32) << np.uint32(8 * place) for place in range(CRC.size))
    marks = np.asarray(stored, np.uint32) ^ stretch_checksums(prefix_checksums(data), begins, sizes)
    return found, numbers_of(marks)


def _checksum(block: int, payload: bytes, version: int) -> int:
    # The block's number is part of what is checked, so that swapped blocks are noticed.
    number = struct.pack("<Q", block)
    return zlib.crc32(payload, zlib.crc32(number)) if version == 1 else zlib.crc32(payload) ^ zlib.crc32(number)
