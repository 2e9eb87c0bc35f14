"""The `.wlx` file: a checked header, then blocks of coded frames, each on its own and with its own checksum.

Version 1 has packed blocks of one size; version 2 has blocks of any size, found again after damage by their checksums.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from wavelex.errors import WavelexError
from wavelex.tokens.entropy.blocks import LANE_FRAMES, LANES_AT_ONCE, BlockCoder, ModelledCoder, PackedCoder
from wavelex.tokens.entropy.packing import packed_size
from wavelex.tokens.entropy.priors.store import find_prior
from wavelex.tokens.format.header import Header, check_header, read_header, read_varint, varint

MOST_MISSING = 20_000_000
"""Codes; a header that promises more than that beyond the end of the file is not worth filling with silence."""
MOST_SEARCHED = 1_000_000
"""Blocks that an intact one is recognised among after damage."""
_WINDOW = 1 << 18
_CRC = struct.Struct("<I")


def block_coder(header: Header, name: str) -> BlockCoder:
    """What turns the blocks of such a file into bytes and back. Raises WavelexError when its prior is not to be had."""
    if header.coding == "packed":
        return PackedCoder(tuple(header.bits))
    prior = find_prior(header.prior)
    if prior is None:
        raise WavelexError(
            f"{name}: is coded with the token prior {header.prior}, which is not here; give the model that encoded it (--model)"
        )
    if prior.sizes[: len(header.codebook_sizes)] != header.codebook_sizes or prior.kind != header.coding:
        raise WavelexError(f"{name}: says a {header.coding} prior for {list(header.codebook_sizes)} codes, which {header.prior} is not")
    return ModelledCoder(prior, len(header.codebook_sizes), header.variable)


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


class Writer:
    """Writes a header and then codes as they come. The target must be seekable: the lengths are filled in by `close`."""

    def __init__(self, target: BinaryIO, header: Header, name: str = "tokens") -> None:
        check_header(header, name)
        self._target, self._header, self._coder = target, header, block_coder(header, name)
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
        payload, packed = self._coder.encode(codes), False
        # A prior that knows nothing of this kind of sound must not cost more than no prior.
        if not self._header.variable and packed_size(codes.shape[2], codes.shape[0], self._header.bits) < len(payload):
            payload, packed = PackedCoder(tuple(self._header.bits)).encode(codes), True
        self._target.write(varint(len(payload) << 1 | packed) + payload + _CRC.pack(_checksum(self._blocks, payload, self._header.version)))
        self._blocks += 1


class Reader:
    """Reads a header at once and blocks as they are asked for, several at a time where that is faster.

    Raises WavelexError, naming `name`, when the header is not that of a readable version or is damaged, or the prior is missing.
    """

    def __init__(self, source: BinaryIO, name: str) -> None:
        self._source, self.name = source, name
        self.header = read_header(source, name)
        self._coder: BlockCoder | None = None
        self._between = False

    def blocks(self) -> Iterator[tuple[int, np.ndarray | Damage]]:
        """Each block's number of frames with its codes, or with what is wrong with it."""
        lanes = self.header.streams * -(-self.header.block_frames // LANE_FRAMES)
        payloads = self._payloads()
        while group := list(itertools.islice(payloads, max(1, LANES_AT_ONCE // lanes))):
            yield from self._decode(group)

    def check(self) -> Iterator[tuple[int, Damage | None]]:
        """Each block's size in bytes and what is wrong with it, without decoding it."""
        for _, payload in self._payloads():
            yield (0, payload) if isinstance(payload, Damage) else (len(payload.data), None)

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
        if self._between:
            return "has bytes between its blocks; it was changed after writing"
        return "has bytes after its last block; it was changed after writing" if self._source.read(1) else None

    def describe(self, damage: Damage) -> str:
        """Where and how, for people."""
        first = damage.block * self.header.block_frames
        start, end = self.header.seconds_at(first), self.header.seconds_at(first + self.header.frames_in(damage.block))
        return f"block {damage.block + 1} of {self.header.block_count} ({start:.1f} to {end:.1f} s) is {damage.reason}"

    def _decode(self, group: list[tuple[int, Payload | Damage]]) -> Iterator[tuple[int, np.ndarray | Damage]]:
        self._coder = self._coder or block_coder(self.header, self.name)
        packer = PackedCoder(tuple(self.header.bits))
        found: dict[int, np.ndarray | ValueError | Damage] = {}
        for coder in (self._coder, packer):
            wanted = [(n, p.data) for n, p in group if isinstance(p, Payload) and (packer if p.packed else self._coder) is coder]
            decoded = coder.decode_all([(data, self.header.frames_in(n)) for n, data in wanted], self.header.streams)
            found |= dict(zip((n for n, _ in wanted), decoded, strict=True))
        for block, payload in group:
            codes = payload if isinstance(payload, Damage) else found[block]
            yield self.header.frames_in(block), Damage(block, f"not decodable ({codes})") if isinstance(codes, ValueError) else codes

    def _payloads(self) -> Iterator[tuple[int, Payload | Damage]]:
        """Each block's number with its bytes, if they are intact."""
        header, source = self.header, self._source
        block = 0
        while block < header.block_count:
            begin = source.tell()
            payload, reason = self._read_payload(block)
            if payload is not None:
                yield block, payload
                block += 1
                continue
            found = self._find(begin, block)
            intact, place = found if found else (header.block_count, None)
            missing = (intact - block) * header.block_frames * header.streams * len(header.codebook_sizes)
            if place is None and missing > MOST_MISSING:
                raise WavelexError(f"{self.name}: {intact - block} of its {header.block_count} blocks are missing; copy it again")
            self._between |= intact == block
            for lost in range(block, intact):
                yield lost, Damage(lost, reason)
            block = intact
            source.seek(0, 2) if place is None else source.seek(place)

    def _read_payload(self, block: int) -> tuple[Payload | None, str]:
        missing, damaged = "missing: the file ends before it", "damaged: its checksum does not match"
        header = self.header
        packed = True
        if header.version == 1:
            size = packed_size(header.frames_in(block), header.streams, header.bits)
        else:
            try:
                size, packed = _size(read_varint(self._source.read)[0])
            except EOFError:
                return None, missing
            except ValueError:
                return None, damaged
        if size > self._largest():
            return None, damaged
        data = self._source.read(size + _CRC.size)
        if len(data) < size + _CRC.size:
            return None, missing
        if _CRC.unpack(data[size:])[0] != _checksum(block, data[:size], header.version):
            return None, damaged
        return Payload(data[:size], packed), ""

    def _find(self, begin: int, first: int) -> tuple[int, int] | None:
        """The next intact block, `first` or one after it, and where it starts, from `begin` on."""
        header = self.header
        if header.version == 1:
            # All blocks have one size, so each is where it is whatever happened to those before.
            size = packed_size(header.block_frames, header.streams, header.bits) + _CRC.size
            return (first + 1, begin + size) if first + 1 < header.block_count else None
        numbers = {_number_mark(block): block for block in range(first, min(header.block_count, first + MOST_SEARCHED))}
        largest = self._largest() + _CRC.size + 5
        while True:
            self._source.seek(begin)
            window = self._source.read(_WINDOW + largest)
            for start in range(min(_WINDOW, len(window))):
                try:
                    number, raw = read_varint(_Bytes(window, start).read)
                except (EOFError, ValueError):
                    continue
                place, size = start + len(raw), _size(number)[0]
                if place + size + _CRC.size > len(window) or size > self._largest():
                    continue
                mark = _CRC.unpack_from(window, place + size)[0] ^ zlib.crc32(window[place : place + size])
                if mark in numbers:
                    return numbers[mark], begin + start
            begin += _WINDOW
            if len(window) <= _WINDOW:
                return None

    def _largest(self) -> int:
        """Bytes that no block exceeds: an improbable code may cost more than its packed form, but never so much."""
        return 64 + 4 * packed_size(self.header.block_frames, self.header.streams, self.header.bits)


class _Bytes:
    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._place = data, start

    def read(self, count: int) -> bytes:
        self._place += count
        return self._data[self._place - count : self._place]


def _size(number: int) -> tuple[int, bool]:
    """A block's bytes, and whether they are packed whatever the file's coding."""
    return number >> 1, bool(number & 1)


def _checksum(block: int, payload: bytes, version: int) -> int:
    # The block's number is part of what is checked, so that swapped blocks are noticed.
    if version == 1:
        return zlib.crc32(payload, zlib.crc32(struct.pack("<Q", block)))
    return zlib.crc32(payload) ^ _number_mark(block)


def _number_mark(block: int) -> int:
    return zlib.crc32(struct.pack("<Q", block))
