"""AudioTokens: codes and what they mean."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from wavelex.errors import WavelexError
from wavelex.files import open_to_read, replacing, shown
from wavelex.tokens.entropy.priors.store import Priors, shipped_with
from wavelex.tokens.format.container import Reader, Writer
from wavelex.tokens.format.header import Header, block_frames_at
from wavelex.tokens.format.limits import MOST_MEMORY

LOST = -1
"""Instead of a code: in all codebooks of a frame that did not arrive; in the finer ones of a frame that has fewer codebooks."""


class TokensOf(Protocol):
    """What tokens must know of the codec whose codes they hold; a `Codec` is one."""

    @property
    def name(self) -> str: ...
    @property
    def weights_hash(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def hop_length(self) -> int: ...
    @property
    def codebook_sizes(self) -> Sequence[int]: ...
    @property
    def priors(self) -> Priors: ...


def no_globals() -> np.ndarray:
    """Those of a codec that has none, for any number of streams."""
    return np.zeros((0, 0), np.int64)


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
    priors: Priors = field(default=Priors(), repr=False)
    """What the codes can be entropy-coded with."""
    globals: np.ndarray = field(default_factory=no_globals)
    """Codes of the utterance as a whole, such as its speaker's: (streams, global codebooks), none where the codec has none."""
    global_sizes: tuple[int, ...] = ()
    """Number of codes of each of their codebooks."""

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
        """Codes a second of all streams, on average where their number varies."""
        if not self.codes.size:
            return self.frame_rate * self.codebooks * self.streams
        return float(self.frame_rate * self.streams * self._present.sum())

    @property
    def bitrate(self) -> float:
        """Nominal bits a second of all streams: frame rate times the bits of the codes of a frame, on average where that varies."""
        bits = [math.log2(size) for size in self.codebook_sizes]
        if not self.codes.size:
            return self.frame_rate * self.streams * sum(bits)
        return float(self.frame_rate * self.streams * (self._present * bits).sum())

    @property
    def _present(self) -> np.ndarray:
        """Share of the frames that have each codebook, (codebooks,)."""
        share: np.ndarray = (self.codes != LOST).mean(axis=(0, 2))
        return share

    @property
    def varies(self) -> bool:
        """Whether frames that arrived have different numbers of codebooks."""
        return bool(((self.codes[:, 1:] == LOST) & (self.codes[:, :1] != LOST)).any())

    def header(self, coding: str | None = None, block_frames: int | None = None) -> Header:
        """That of a file of these tokens; see `Priors.for_coding`."""
        coding, stored = self.priors.for_coding(self.weights_hash, coding)
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
            block_frames or block_frames_at(self.frame_rate),
            coding,
            stored.name if stored else "00000000",
            self.varies,
            global_sizes=self.global_sizes,
        )

    def prefix(self, codebooks: int) -> AudioTokens:
        """The same audio at a lower rate. Raises WavelexError when there are not that many codebooks."""
        if not 1 <= codebooks <= self.codebooks:
            raise WavelexError(f"{codebooks} codebooks asked for; these tokens have {self.codebooks}")
        return replace(self, codes=self.codes[:, :codebooks], codebook_sizes=self.codebook_sizes[:codebooks])

    def save(self, path: str | os.PathLike[str], coding: str | None = None) -> None:
        """Write a `.wlx` file; complete or not at all. For `coding` see `Priors.for_coding`."""
        with replacing(Path(path)) as temporary, temporary.open("w+b") as target:
            self._write(target, shown(path), coding)

    def to_bytes(self, coding: str | None = None, block_frames: int | None = None) -> bytes:
        """What `save` writes, in blocks of another size if need be."""
        target = io.BytesIO()
        self._write(target, "tokens", coding, block_frames)
        return target.getvalue()

    def _write(self, target: BinaryIO, name: str, coding: str | None, block_frames: int | None = None) -> None:
        if (self.codes[:, 0] == LOST).any():
            raise WavelexError(f"{name}: the tokens have lost frames, which a file cannot hold; decode them instead")
        check_codes(self.codes, self.codebook_sizes, name)
        header = self.header(coding, block_frames)
        if header.variable and header.coding == "packed":
            raise WavelexError(f"{name}: frames of varying size cannot be packed; they need a token prior (see wavelex prior)")
        writer = Writer(target, header, name, self.priors, self.globals if self.global_sizes else None)
        writer.write(self.codes)
        writer.close(self.length)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        salvage: bool = False,
        codec: TokensOf | None = None,
        max_frames: int | None = None,
        max_memory: int = MOST_MEMORY,
    ) -> AudioTokens:
        """Read a `.wlx` file. Raises WavelexError on damage, unless `salvage`, which gives LOST frames for it.

        What a codec of your own has coded with its prior needs that `codec`; shipped models' priors are always at hand. A file that
        says it holds more frames than one of its size can have is refused unless `max_frames` allows them, and one whose codes need
        more than `max_memory` bytes.
        """
        priors = codec.priors if codec else Priors()
        with open_to_read(path, "a .wlx file") as source:
            return cls._read(Reader(source, shown(path), priors, max_frames), priors, salvage, max_memory)

    @classmethod
    def from_bytes(cls, data: bytes, codec: TokensOf | None = None) -> AudioTokens:
        """Read what `to_bytes` gives; see `load`. Raises WavelexError on damage."""
        priors = codec.priors if codec else Priors()
        return cls._read(Reader(io.BytesIO(data), "tokens", priors), priors)

    @classmethod
    def _read(cls, reader: Reader, priors: Priors, salvage: bool = False, max_memory: int = MOST_MEMORY) -> AudioTokens:
        tokens = cls.from_header(reader.header, reader.all_codes(salvage, max_memory))
        priors = priors if priors.stored else shipped_with(reader.header.prior)
        return replace(tokens, priors=priors, globals=reader.globals)

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
            global_sizes=header.global_sizes,
        )

    @classmethod
    def from_codes(cls, codes: Any, codec: TokensOf, source_rate: int | None = None, length: int | None = None) -> AudioTokens:
        """Tokens of a codec from bare codes: (codebooks, frames) or (streams, codebooks, frames), array or tensor of whole numbers.

        `length` in samples at `source_rate` is that of the frames unless given, and the rate the codec's. Raises WavelexError for
        codes that the codec does not have.
        """
        found = as_codes(codes)
        sizes = tuple(codec.codebook_sizes)
        if not 1 <= found.shape[1] <= len(sizes):
            raise WavelexError(f"codes of shape {found.shape} are not (streams, 1 to {len(sizes)} codebooks, frames)")
        check_codes(found, sizes[: found.shape[1]], "codes")
        rate = source_rate or codec.sample_rate
        if length is None:
            length = round(found.shape[2] * codec.hop_length * rate / codec.sample_rate)
        kept = sizes[: found.shape[1]]
        return cls(found, codec.name, codec.weights_hash, codec.sample_rate, codec.hop_length, kept, rate, length, codec.priors)

    def to_ids(self, first: int = 0) -> np.ndarray:
        """One id a token for a language model, frame by frame, coarse first: (streams, frames * codebooks).

        Codebook k has the ids from `first` + the sizes of the codebooks before it on. Raises WavelexError for LOST frames.
        """
        if (self.codes == LOST).any():
            raise WavelexError("lost frames and frames with fewer codebooks have no ids; take a prefix that all frames have")
        shifted = self.codes + _offsets(self.codebook_sizes, first)[None, :, None]
        ids: np.ndarray = shifted.transpose(0, 2, 1).reshape(self.streams, -1)
        return ids

    @classmethod
    def from_ids(cls, ids: Any, codec: TokensOf, codebooks: int | None = None, first: int = 0) -> AudioTokens:
        """Tokens of a codec from ids (frames * codebooks,) or (streams, frames * codebooks) as made by `to_ids`.

        All the codec's codebooks unless given. Raises WavelexError for an id outside its codebook's range.
        """
        sizes = tuple(codec.codebook_sizes[:codebooks])
        return cls.from_codes(_codes_of_ids(ids, sizes, first), codec)

    def with_ids(self, ids: Any, first: int = 0) -> AudioTokens:
        """Tokens like these, whose length becomes that of the frames given; see `from_ids`."""
        codes = _codes_of_ids(ids, self.codebook_sizes, first)
        check_codes(codes, self.codebook_sizes, "ids")
        length = round(codes.shape[2] * self.hop_length * self.source_rate / self.sample_rate)
        return replace(self, codes=codes, length=length)


def as_codes(codes: Any) -> np.ndarray:
    """Codes (codebooks, frames) or (streams, codebooks, frames), array or tensor on any device, as int64 (streams, codebooks, frames).

    Raises WavelexError for other shapes and for numbers that are not whole.
    """
    found = _whole_numbers(codes, "codes")
    if found.ndim == 2:
        found = found[None]
    if found.ndim != 3:
        raise WavelexError(f"codes of shape {found.shape} are not (codebooks, frames) or (streams, codebooks, frames)")
    return found


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


def _codes_of_ids(ids: Any, sizes: Sequence[int], first: int) -> np.ndarray:
    """Codes (streams, codebooks, frames), negative where an id is not of its own codebook's range or a finer one's."""
    found = np.atleast_2d(_whole_numbers(ids, "ids"))
    if found.ndim != 2 or found.shape[1] % len(sizes):
        raise WavelexError(f"ids of shape {found.shape} are not (streams, frames * {len(sizes)})")
    codes: np.ndarray = found.reshape(found.shape[0], -1, len(sizes)).transpose(0, 2, 1) - _offsets(sizes, first)[None, :, None]
    if codes.size and codes.min() < 0:
        raise WavelexError(f"ids below {first} or of an earlier codebook; each must be of its own codebook's range")
    return codes


def _whole_numbers(values: Any, what: str) -> np.ndarray:
    found = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    if not np.issubdtype(found.dtype, np.integer):
        raise WavelexError(f"{what} of type {found.dtype} are not whole numbers; give int64")
    return found.astype(np.int64)


def _offsets(sizes: Sequence[int], first: int) -> np.ndarray:
    return first + np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
