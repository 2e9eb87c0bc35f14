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

from wavelex.errors import WavelexError
from wavelex.files import open_to_read, replacing
from wavelex.tokens.entropy.priors.store import priors_for
from wavelex.tokens.format.container import Reader, Writer
from wavelex.tokens.format.header import BLOCK_FRAMES, CODINGS, Header

LOST = -1
"""Instead of a code: in all codebooks of a frame that did not arrive; in the finer ones of a frame that has fewer codebooks."""


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
        """Nominal bits a second of all streams: frame rate times the bits of the codes of a frame, on average where that varies."""
        bits = [math.log2(size) for size in self.codebook_sizes]
        if not self.codes.size:
            return self.frame_rate * self.streams * sum(bits)
        present = (self.codes != LOST).mean(axis=(0, 2))
        return float(self.frame_rate * self.streams * (present * bits).sum())

    @property
    def varies(self) -> bool:
        """Whether frames that arrived have different numbers of codebooks."""
        return bool(((self.codes[:, 1:] == LOST) & (self.codes[:, :1] != LOST)).any())

    def header(self, coding: str | None = None, block_frames: int = BLOCK_FRAMES) -> Header:
        """That of a file of these tokens; see `choose_coding`."""
        coding, prior = choose_coding(self.weights_hash, coding)
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
            block_frames,
            coding,
            prior,
            self.varies,
        )

    def prefix(self, codebooks: int) -> AudioTokens:
        """The same audio at a lower rate. Raises WavelexError when there are not that many codebooks."""
        if not 1 <= codebooks <= self.codebooks:
            raise WavelexError(f"{codebooks} codebooks asked for; these tokens have {self.codebooks}")
        return replace(self, codes=self.codes[:, :codebooks], codebook_sizes=self.codebook_sizes[:codebooks])

    def save(self, path: str | os.PathLike[str], coding: str | None = None) -> None:
        """Write a `.wlx` file; complete or not at all. For `coding` see `choose_coding`."""
        with replacing(Path(path)) as temporary, temporary.open("w+b") as target:
            self._write(target, str(path), coding)

    def to_bytes(self, coding: str | None = None, block_frames: int = BLOCK_FRAMES) -> bytes:
        """What `save` writes, in blocks of another size if need be."""
        target = io.BytesIO()
        self._write(target, "tokens", coding, block_frames)
        return target.getvalue()

    def _write(self, target: BinaryIO, name: str, coding: str | None, block_frames: int = BLOCK_FRAMES) -> None:
        if (self.codes[:, 0] == LOST).any():
            raise WavelexError(f"{name}: the tokens have lost frames, which a file cannot hold; decode them instead")
        check_codes(self.codes, self.codebook_sizes, name)
        header = self.header(coding, block_frames)
        if header.variable and header.coding == "packed":
            raise WavelexError(f"{name}: frames of varying size cannot be packed; they need a token prior (see wavelex prior)")
        writer = Writer(target, header, name)
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
        if (self.codes == LOST).any():
            raise WavelexError("lost frames and frames with fewer codebooks have no ids; take a prefix that all frames have")
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
    """Raises WavelexError unless codes (streams, codebooks, frames) are within their codebooks, or LOST from some codebook on."""
    if codes.ndim != 3 or codes.shape[1] != len(sizes):
        raise WavelexError(f"{name}: codes of shape {codes.shape} are not (streams, {len(sizes)} codebooks, frames)")
    for book, size in enumerate(sizes):
        row = codes[:, book]
        if row.size and (row.min() < LOST or row.max() >= size):
            raise WavelexError(f"{name}: codebook {book} has codes from {row.min()} to {row.max()}; they must be 0 to {size - 1}")
    if ((codes[:, 1:] != LOST) & (codes[:, :-1] == LOST)).any():
        raise WavelexError(f"{name}: a frame lacks a codebook before one that it has; frames hold the coarsest codebooks without a gap")


def choose_coding(weights_hash: str, coding: str | None = None) -> tuple[str, str]:
    """How to code tokens of those weights, and the hash of the prior for it.

    `coding` is `packed`, `context` or `neural`; the smallest that there is a prior for unless given. Raises WavelexError where
    there is none for it.
    """
    priors = priors_for(weights_hash)
    if coding is None:
        coding = next((kind for kind in reversed(CODINGS) if kind in priors), "packed")
    if coding not in CODINGS:
        raise WavelexError(f"coding {coding!r}: choose from {', '.join(CODINGS)}")
    if coding != "packed" and coding not in priors:
        raise WavelexError(f"there is no {coding} prior for the weights {weights_hash}; fit one with wavelex prior, or choose packed")
    return coding, priors.get(coding, "00000000")


def _offsets(sizes: Sequence[int], first: int) -> np.ndarray:
    return first + np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
