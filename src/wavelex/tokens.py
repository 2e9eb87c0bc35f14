"""AudioTokens: codes and what they mean."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wavelex.bitstream.container import Header, Reader, Writer
from wavelex.errors import WavelexError
from wavelex.files import open_to_read, replacing

LOST = -1
"""Code of a frame that did not arrive; it decodes to silence."""


@dataclass(frozen=True, eq=False)
class AudioTokens:
    """Codes (streams, codebooks, frames) int64, coarse first, with the rates and the model they belong to.

    A stream is a channel coded on its own (one when channels are mixed). `length` counts samples at `source_rate`.
    """

    codes: np.ndarray
    model: str
    weights_hash: str
    sample_rate: int
    hop_length: int
    codebook_sizes: tuple[int, ...]
    source_rate: int
    length: int

    @property
    def seconds(self) -> float:
        return self.length / self.source_rate

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.hop_length

    @property
    def codebooks(self) -> int:
        return int(self.codes.shape[1])

    @property
    def streams(self) -> int:
        return int(self.codes.shape[0])

    @property
    def tokens_per_second(self) -> float:
        return self.frame_rate * self.codebooks * self.streams

    @property
    def bitrate(self) -> float:
        """Nominal bits a second: frame rate times the bits of a frame, all streams."""
        return self.frame_rate * self.streams * sum(math.log2(size) for size in self.codebook_sizes)

    @property
    def header(self) -> Header:
        return Header(
            self.model,
            self.weights_hash,
            self.sample_rate,
            self.hop_length,
            self.source_rate,
            self.streams,
            self.codebook_sizes,
            self.length,
            int(self.codes.shape[2]),
        )

    def prefix(self, codebooks: int) -> AudioTokens:
        """The same audio at a lower rate. Raises WavelexError when there are not that many codebooks."""
        if not 1 <= codebooks <= self.codebooks:
            raise WavelexError(f"{codebooks} codebooks asked for; these tokens have {self.codebooks}")
        return replace(self, codes=self.codes[:, :codebooks], codebook_sizes=self.codebook_sizes[:codebooks])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a `.wlx` file; complete or not at all."""
        with replacing(Path(path)) as temporary, temporary.open("w+b") as target:
            self._write(target, str(path))

    def to_bytes(self) -> bytes:
        """What `save` writes."""
        target = io.BytesIO()
        self._write(target, "tokens")
        return target.getvalue()

    def _write(self, target: BinaryIO, name: str) -> None:
        if (self.codes < 0).any():
            raise WavelexError(f"{name}: the tokens have lost frames, which a file cannot hold; decode them instead")
        writer = Writer(target, self.header)
        writer.write(self.codes)
        writer.close(self.length)

    @classmethod
    def load(cls, path: str | os.PathLike[str], salvage: bool = False) -> AudioTokens:
        """Read a `.wlx` file. Raises WavelexError on damage, unless `salvage`, which gives LOST frames for it."""
        with open_to_read(path, "a .wlx file") as source:
            return cls._read(source, str(path), salvage)

    @classmethod
    def from_bytes(cls, data: bytes) -> AudioTokens:
        """Read what `to_bytes` gives. Raises WavelexError on damage."""
        return cls._read(io.BytesIO(data), "tokens", salvage=False)

    @classmethod
    def _read(cls, source: BinaryIO, name: str, salvage: bool) -> AudioTokens:
        reader = Reader(source, name)
        header = reader.header
        blocks = list(reader.codes(salvage))
        empty = np.zeros((header.streams, len(header.codebook_sizes), 0), np.int64)
        return cls.from_header(header, np.concatenate([empty, *blocks], axis=2))

    @classmethod
    def from_header(cls, header: Header, codes: np.ndarray) -> AudioTokens:
        """Tokens of `codes` with what the header says of them."""
        return cls(
            codes,
            header.model,
            header.weights_hash,
            header.sample_rate,
            header.hop_length,
            header.codebook_sizes,
            header.source_rate,
            header.length,
        )

    def to_ids(self, first: int = 0) -> np.ndarray:
        """One id a token for a language model, frame by frame, coarse first: (streams, frames * codebooks).

        Codebook k has the ids from `first` + the sizes of the codebooks before it on. Raises WavelexError for LOST frames.
        """
        if (self.codes < 0).any():
            raise WavelexError("lost frames have no ids; conceal or drop them first")
        shifted = self.codes + _offsets(self.codebook_sizes, first)[None, :, None]
        ids: np.ndarray = shifted.transpose(0, 2, 1).reshape(self.streams, -1)
        return ids

    def with_ids(self, ids: np.ndarray, first: int = 0) -> AudioTokens:
        """Tokens like these with the codes of ids (streams, frames * codebooks) as made by `to_ids`.

        The length becomes that of the frames given. Raises WavelexError for an id outside its codebook's range.
        """
        if ids.ndim != 2 or ids.shape[1] % self.codebooks:
            raise WavelexError(f"ids of shape {ids.shape} are not (streams, frames * {self.codebooks})")
        codes = ids.reshape(ids.shape[0], -1, self.codebooks).transpose(0, 2, 1) - _offsets(self.codebook_sizes, first)[None, :, None]
        if codes.size and codes.min() < 0:
            raise WavelexError(f"ids below {first} or of an earlier codebook; each must be of its own codebook's range")
        check_codes(codes, self.codebook_sizes, "ids")
        length = round(codes.shape[2] * self.hop_length * self.source_rate / self.sample_rate)
        return replace(self, codes=codes.astype(np.int64), length=length)


def check_codes(codes: np.ndarray, sizes: Sequence[int], name: str) -> None:
    """Raises WavelexError unless codes (streams, codebooks, frames) are LOST or within their codebooks."""
    if codes.ndim != 3 or codes.shape[1] != len(sizes):
        raise WavelexError(f"{name}: codes of shape {codes.shape} are not (streams, {len(sizes)} codebooks, frames)")
    for book, size in enumerate(sizes):
        row = codes[:, book]
        if row.size and (row.min() < LOST or row.max() >= size):
            raise WavelexError(f"{name}: codebook {book} has codes from {row.min()} to {row.max()}; they must be 0 to {size - 1}")


def _offsets(sizes: Sequence[int], first: int) -> np.ndarray:
    return first + np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
