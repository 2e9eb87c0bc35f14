"""The `.wlx` file: a checked header, then blocks of coded frames, each on its own and with its own checksum.

Version 1 has packed blocks of one size; version 2 has blocks of any size, found again after damage by their checksums; version 3
adds codes of the whole recording at the head of every block, and at the end a checksum of the codes themselves.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from wavelex.errors import WavelexError
from wavelex.tokens.entropy.blocks import LANE_FRAMES, LANES_AT_ONCE, BlockCoder, ModelledCoder, PackedCoder
from wavelex.tokens.entropy.packing import pack, packed_size, unpack
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.store import Priors, shipped_with
from wavelex.tokens.format.header import Header, bits_of, check_header, read_header
from wavelex.tokens.format.limits import MOST_MEMORY, check_frames, check_memory, least_payload
from wavelex.tokens.format.scanning import CRC, Damage, Payload, Scanner, block_bytes, globals_size

NO_PRIORS = Priors()


def block_coder(header: Header, name: str, priors: Priors) -> BlockCoder:
    """What turns the blocks of such a file into bytes and back. Raises WavelexError when its prior is not to be had."""
    if header.coding == "packed":
        return PackedCoder(tuple(header.bits))
    prior = _prior_of(header, priors)
    if prior is None:
        raise WavelexError(
            f"{name}: is coded with the token prior {header.prior}, which is not here; give the model that encoded it (--model)"
        )
    if prior.sizes[: len(header.codebook_sizes)] != header.codebook_sizes or prior.kind != header.coding:
        raise WavelexError(f"{name}: says a {header.coding} prior for codebooks that the prior {header.prior} is not for; encode it again")
    return ModelledCoder(prior, len(header.codebook_sizes), header.variable)


def _prior_of(header: Header, priors: Priors) -> Prior | None:
    """One of `priors`, or of a shipped model."""
    return priors.find(header.prior) or shipped_with(header.prior).find(header.prior)


class CodesChecksum:
    """CRC-32 of codes as little-endian 32-bit numbers, -1 for absent ones: frame after frame, stream after stream, coarse first.

    Codes of the whole recording come first. Neither blocks nor coding matter.
    """

    def __init__(self, globals_: np.ndarray) -> None:
        self.value = 0
        self._first = globals_

    def add(self, codes: np.ndarray) -> None:
        """Codes (streams, codebooks, frames)."""
        if self._first.size:
            self.value = zlib.crc32(self._first.astype("<i4").tobytes(), self.value)
            self._first = self._first[:, :0]
        self.value = zlib.crc32(codes.transpose(2, 0, 1).astype("<i4").tobytes(), self.value)


class Writer:
    """Writes a header and then codes as they come. The target must be seekable: the lengths are filled in by `close`.

    `globals_` (streams, len(header.global_sizes)) are the codes of the whole recording. Raises WavelexError for what a reader
    would refuse.
    """

    def __init__(
        self, target: BinaryIO, header: Header, name: str = "tokens", priors: Priors = NO_PRIORS, globals_: np.ndarray | None = None
    ) -> None:
        check_header(header, name)
        self._target, self._header, self._coder, self._name = target, header, block_coder(header, name, priors), name
        globals_ = np.zeros((header.streams, 0), np.int64) if globals_ is None else globals_
        check_globals(globals_, header, name)
        self._head = pack(globals_[:, :, None], bits_of(header.global_sizes)) if header.global_sizes else b""
        self._checksum = CodesChecksum(globals_)
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
        """Write what is held back and the final lengths; `length` is in source samples.

        Raises WavelexError where it does not fit the frames.
        """
        header = replace(self._header, length=length, frames=self._frames)
        check_header(header, self._name, finished=True)
        if self._held.shape[2]:
            self._write_block(self._held)
        if header.version > 2:
            self._target.write(CRC.pack(self._checksum.value))
        end = self._target.tell()
        check_frames(header, end, self._name)
        self._target.seek(0)
        self._target.write(header.to_bytes())
        self._target.seek(end)

    def _write_block(self, codes: np.ndarray) -> None:
        coded, packed = self._coder.encode(codes), False
        # A prior that knows nothing of this kind of sound must not cost more than no prior.
        if not self._header.variable and packed_size(codes.shape[2], codes.shape[0], self._header.bits) < len(coded):
            coded, packed = PackedCoder(tuple(self._header.bits)).encode(codes), True
        payload = self._head + coded
        if self._header.version > 2:
            overhead = len(block_bytes(self._blocks, Payload(b"", packed)))
            payload += bytes(max(0, least_payload(self._header, codes.shape[2], overhead) - len(payload)))
            self._checksum.add(codes)
        self._target.write(block_bytes(self._blocks, Payload(payload, packed)))
        self._blocks += 1


class Reader:
    """Reads a header at once and blocks as they are asked for, several at a time where that is faster.

    Raises WavelexError, naming `name`, when the header is not that of a readable version or is damaged, the prior is missing, or
    the header promises more frames than `max_frames`; without that, than a file of its size can have (see `limits`).
    """

    def __init__(self, source: BinaryIO, name: str, priors: Priors = NO_PRIORS, max_frames: int | None = None) -> None:
        self._source, self.name, self._priors = source, name, priors
        self.header = read_header(source, name)
        self._begin = source.tell()
        check_frames(self.header, source.seek(0, 2), name, max_frames)
        source.seek(self._begin)
        self._coder: BlockCoder | None = None
        self._scanner = Scanner(source, self.header)
        self._globals: np.ndarray | None = None
        self._mismatch: str | None = None

    @property
    def globals(self) -> np.ndarray:
        """Codes of the whole recording (streams, number of them) as the first intact block has them; -1 where none is intact."""
        if self._globals is None:
            place = self._source.tell()
            self._source.seek(self._begin)
            found = (payload for _, payload in Scanner(self._source, self.header).payloads() if isinstance(payload, Payload))
            values = (self._globals_in(payload) for payload in found)
            nothing = np.full((self.header.streams, len(self.header.global_sizes)), -1, np.int64)
            self._globals = nothing if not nothing.size else next((v for v in values if v is not None), nothing)
            self._source.seek(place)
        return self._globals

    @property
    def decodable(self) -> bool:
        """Whether the prior that the blocks are coded with is at hand."""
        return self.header.coding == "packed" or _prior_of(self.header, self._priors) is not None

    def blocks(self) -> Iterator[tuple[int, np.ndarray | Damage]]:
        """Each block's number of frames with its codes, or with what is wrong with it."""
        lanes = self.header.streams * -(-self.header.block_frames // LANE_FRAMES)
        checksum, whole = CodesChecksum(self.globals), True
        payloads = self._scanner.payloads()
        while group := list(itertools.islice(payloads, max(1, LANES_AT_ONCE // lanes))):
            for frames, block in self._decode(group):
                if isinstance(block, Damage):
                    whole = False
                else:
                    checksum.add(block)
                yield frames, block
        if self.header.version > 2:
            self._mismatch = self._read_end(checksum.value if whole else None)

    def check(self) -> Iterator[Damage]:
        """What is wrong with the blocks, all of them decoded if that is possible (`decodable`); then `ending` tells the rest."""
        found = self.blocks() if self.decodable else self._scanner.payloads()
        yield from (block for _, block in found if isinstance(block, Damage))
        if not self.decodable and self.header.version > 2:
            self._mismatch = self._read_end(None)

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
        if not salvage and (wrong := self.ending()):
            raise WavelexError(f"{self.name}: {wrong} (--salvage ignores this)")

    def all_codes(self, salvage: bool = False, max_memory: int = MOST_MEMORY) -> np.ndarray:
        """Those of the whole file, (streams, codebooks, frames). Raises WavelexError as `codes`, and over `max_memory` bytes."""
        header = self.header
        check_memory(header, self.name, max_memory)
        found = np.empty((header.streams, len(header.codebook_sizes), header.frames), np.int64)
        place = 0
        for block in self.codes(salvage):
            found[:, :, place : place + block.shape[2]] = block
            place += block.shape[2]
        return found

    def ending(self) -> str | None:
        """What is wrong besides single blocks, once all of them are read."""
        if self._scanner.between:
            return "has bytes between its blocks; it was changed after writing"
        if self._mismatch:
            return self._mismatch
        return "has bytes after its last block; it was changed after writing" if self._source.read(1) else None

    def describe(self, damage: Damage) -> str:
        """Where and how, for people."""
        first = damage.block * self.header.block_frames
        start, end = self.header.seconds_at(first), self.header.seconds_at(first + self.header.frames_in(damage.block))
        return f"block {damage.block + 1} of {self.header.block_count} ({start:.1f} to {end:.1f} s) is {damage.reason}"

    def _read_end(self, checksum: int | None) -> str | None:
        stored = self._source.read(CRC.size)
        if checksum is None:
            return None
        if len(stored) < CRC.size:
            return "ends before the checksum of its codes; copy it again"
        if CRC.unpack(stored)[0] != checksum:
            return "decodes to other codes than were written (or its last 4 bytes are damaged); copy it again, and update wavelex"
        return None

    def _decode(self, group: list[tuple[int, Payload | Damage]]) -> Iterator[tuple[int, np.ndarray | Damage]]:
        self._coder = self._coder or block_coder(self.header, self.name, self._priors)
        packer = PackedCoder(tuple(self.header.bits))
        head = globals_size(self.header)
        found: dict[int, np.ndarray | ValueError] = {}
        for coder in (self._coder, packer):
            wanted = [(n, p.data[head:]) for n, p in group if isinstance(p, Payload) and (packer if p.packed else self._coder) is coder]
            decoded = coder.decode_all([(data, self.header.frames_in(n)) for n, data in wanted], self.header.streams) if wanted else []
            found |= dict(zip((n for n, _ in wanted), decoded, strict=True))
        for block, payload in group:
            result = payload if isinstance(payload, Damage) else self._checked(block, payload, found[block])
            yield self.header.frames_in(block), result

    def _checked(self, block: int, payload: Payload, codes: np.ndarray | ValueError) -> np.ndarray | Damage:
        """Codes that an encoder can have written."""
        if isinstance(codes, ValueError):
            return Damage(block, f"not decodable ({codes})")
        if payload.packed and self.header.coding == "packed" and self.header.version > 1:
            return Damage(block, "damaged: it is marked as an exception to the file's coding, which it is not")
        if (codes >= np.array(self.header.codebook_sizes)[None, :, None]).any():
            return Damage(block, "not decodable (codes beyond the last of their codebook)")
        if self.header.global_sizes:
            values = self._globals_in(payload)
            if values is None or not np.array_equal(values, self.globals):
                return Damage(block, "of another recording: its codes of the whole recording are not those of the first block")
        return codes

    def _globals_in(self, payload: Payload) -> np.ndarray | None:
        """Those at the head of a block, if they can be."""
        header, size = self.header, globals_size(self.header)
        if len(payload.data) < size:
            return None
        values = unpack(payload.data[:size], header.streams, bits_of(header.global_sizes), 1)[:, :, 0]
        return values if (values < np.array(header.global_sizes)).all() else None


def check_globals(globals_: np.ndarray, header: Header, name: str) -> None:
    """Raises WavelexError unless they are (streams, len(header.global_sizes)) codes within their codebooks."""
    wanted = (header.streams, len(header.global_sizes))
    if globals_.shape != wanted:
        raise WavelexError(f"{name}: codes of the whole recording of shape {globals_.shape}; the file is for {wanted}")
    if globals_.size and (globals_.min() < 0 or (globals_ >= np.array(header.global_sizes)).any()):
        raise WavelexError(f"{name}: codes of the whole recording beyond their codebooks of {header.global_sizes[:8]} codes")
