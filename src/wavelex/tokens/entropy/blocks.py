"""The codes of a block to bytes and back, on their own: what comes before or after a block does not matter to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wavelex.tokens.entropy.packing import pack, packed_size, unpack
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.range_coder import TOTAL, RangeDecoder, RangeEncoder
from wavelex.tokens.entropy.threads import one_thread

LANE_FRAMES = 50
"""A longer block is cut into lanes of so many frames, decoded side by side; each begins without a past, which costs 0.3%."""
COUNT_GROUP = 2
"""Frames that share a number of codebooks, where the encoder kept to it."""
STEEPNESSES = (1, 2, 6, 12)
"""Halvings of the chance of a number of codebooks for each one more or less than before; a block says which it goes by."""
LANES_AT_ONCE = 64
"""Lanes, of however many blocks, that are worth decoding side by side."""
_EVEN = np.full((1, len(STEEPNESSES)), TOTAL // len(STEEPNESSES))


class BlockCoder(Protocol):
    """Codes (streams, codebooks, frames) to bytes and back. Not all take frames that have fewer codebooks (-1)."""

    def encode(self, codes: np.ndarray) -> bytes: ...

    def decode_all(self, blocks: Sequence[tuple[bytes, int]], streams: int) -> list[np.ndarray | ValueError]:
        """The codes of blocks of bytes and frames; ValueError for bytes that `encode` cannot have given, where that shows."""


@dataclass(frozen=True)
class PackedCoder:
    """A fixed number of bits a code; see `packing`."""

    bits: Sequence[int]

    def encode(self, codes: np.ndarray) -> bytes:
        return pack(codes, self.bits)

    def decode_all(self, blocks: Sequence[tuple[bytes, int]], streams: int) -> list[np.ndarray | ValueError]:
        return [
            unpack(data, streams, self.bits, frames)
            if len(data) == packed_size(frames, streams, self.bits)
            else ValueError(f"{len(data)} bytes for {frames} frames")
            for data, frames in blocks
        ]


@dataclass(frozen=True)
class ModelledCoder:
    """Range coding with a prior. A variable one first tells, for each frame, how many codebooks it has."""

    prior: Prior
    codebooks: int
    variable: bool = False

    def encode(self, codes: np.ndarray) -> bytes:
        with one_thread():
            return self._encode(codes)

    def decode_all(self, blocks: Sequence[tuple[bytes, int]], streams: int) -> list[np.ndarray | ValueError]:
        """Side by side, which is faster than one after the other."""
        with one_thread():
            return self._decode_all(blocks, streams)

    def _encode(self, codes: np.ndarray) -> bytes:
        lanes = _Lanes(codes.shape[0], codes.shape[2])
        laid = lanes.split(codes)
        counts = (laid >= 0).sum(axis=0)
        tables = list(self.prior.whole(laid))
        coder = RangeEncoder()
        previous = np.full(lanes.count, self.codebooks)
        steepness = 0
        if self.variable:
            steepness = _steepness(counts, self.codebooks)
            coder.encode(np.array([steepness]), _EVEN)
        for frame in range(lanes.frames):
            active = lanes.active(frame)
            if self.variable:
                coder.encode(counts[active, frame] - 1, _count_frequencies(previous[active], self.codebooks, frame, steepness))
                previous[active] = counts[active, frame]
            for book, table in enumerate(tables):
                chosen = active[counts[active, frame] > book]
                coder.encode(laid[book, chosen, frame], table[chosen, frame])
        return coder.finish()

    def _decode_all(self, blocks: Sequence[tuple[bytes, int]], streams: int) -> list[np.ndarray | ValueError]:
        decodings = _side_by_side(blocks, streams)
        lanes = decodings[-1].end if decodings else 0
        frames = max((d.lanes.frames for d in decodings), default=0)
        laid = np.full((self.codebooks, lanes, frames), -1, np.int64)
        session = self.prior.session(lanes, self.codebooks)
        counts = np.full(lanes, self.codebooks)
        steepness = [int(d.symbols(_EVEN)[0]) if self.variable else 0 for d in decodings]
        for frame in range(frames):
            active = [d.active(frame) for d in decodings]
            if self.variable:
                for decoding, there, steep in zip(decodings, active, steepness, strict=True):
                    counts[there] = decoding.symbols(_count_frequencies(counts[there], self.codebooks, frame, steep)) + 1
            for book in range(self.codebooks):
                chosen = [there[counts[there] > book] for there in active]
                together = np.concatenate(chosen)
                if not len(together):
                    continue
                each = np.split(session.frequencies(book, together), np.cumsum([len(c) for c in chosen])[:-1])
                codes = np.concatenate([d.symbols(frequencies) for d, frequencies in zip(decodings, each, strict=True)])
                laid[book, together, frame] = codes
                session.decoded(book, together, codes)
            session.next_frame()
        return [d.failed or d.lanes.join(laid[:, d.first : d.end, : d.lanes.frames]) for d in decodings]


class _Decoding:
    """One block among several that are decoded side by side."""

    def __init__(self, data: bytes, lanes: _Lanes, first: int) -> None:
        self.lanes, self.first = lanes, first
        self.end = first + lanes.count
        self.failed: ValueError | None = None
        self._coder = RangeDecoder(data)

    def active(self, frame: int) -> np.ndarray:
        """The lanes, counted through all blocks, that have such a frame."""
        return self.first + self.lanes.active(frame)

    def symbols(self, frequencies: np.ndarray) -> np.ndarray:
        """The next ones; anything after a failure."""
        if self.failed is None:
            try:
                return self._coder.decode(frequencies)
            except ValueError as error:
                self.failed = error
        return np.zeros(len(frequencies), np.int64)


def _side_by_side(blocks: Sequence[tuple[bytes, int]], streams: int) -> list[_Decoding]:
    found: list[_Decoding] = []
    for data, frames in blocks:
        found.append(_Decoding(data, _Lanes(streams, frames), found[-1].end if found else 0))
    return found


class _Lanes:
    """How a block's frames lie in lanes: stream after stream, the last lane of each stream shorter if need be."""

    def __init__(self, streams: int, frames: int) -> None:
        self.streams, self.total = streams, frames
        self.frames = min(frames, LANE_FRAMES)
        self.per_stream = -(-frames // LANE_FRAMES)
        self.count = streams * self.per_stream
        lengths = [min(LANE_FRAMES, frames - lane * LANE_FRAMES) for lane in range(self.per_stream)]
        self._lengths = np.array(lengths * streams, np.int64)

    def active(self, frame: int) -> np.ndarray:
        """The lanes that have such a frame."""
        return np.flatnonzero(self._lengths > frame)

    def split(self, codes: np.ndarray) -> np.ndarray:
        """(streams, codebooks, frames) to (codebooks, lanes, lane frames), -1 where there is nothing."""
        room = self.per_stream * self.frames if self.per_stream else 0
        padded = np.full((self.streams, codes.shape[1], room), -1, np.int64)
        padded[:, :, : self.total] = codes
        laid = padded.reshape(self.streams, codes.shape[1], self.per_stream, self.frames)
        lanes: np.ndarray = laid.transpose(1, 0, 2, 3).reshape(codes.shape[1], self.count, self.frames)
        return lanes

    def join(self, laid: np.ndarray) -> np.ndarray:
        """The inverse of `split`."""
        codes = laid.reshape(len(laid), self.streams, self.per_stream * self.frames).transpose(1, 0, 2)
        return np.ascontiguousarray(codes[:, :, : self.total])


def _steepness(counts: np.ndarray, codebooks: int) -> int:
    """Which of STEEPNESSES tells the counts (lanes, frames; 0 beyond a lane's end) in the fewest bits."""
    before = np.concatenate([np.full((len(counts), 1), codebooks), counts[:, :-1]], axis=1)
    there = counts > 0
    costs = []
    for which in range(len(STEEPNESSES)):
        bits = 0.0
        for frame in range(counts.shape[1]):
            rows = there[:, frame]
            table = _count_frequencies(before[rows, frame], codebooks, frame, which)
            bits -= float(np.log2(table[np.arange(len(table)), counts[rows, frame] - 1] / TOTAL).sum())
        costs.append(bits)
    return int(np.argmin(costs))


def _count_frequencies(previous: np.ndarray, codebooks: int, frame: int, steepness: int) -> np.ndarray:
    """Of 1, 2, ... codebooks in a frame whose predecessor had `previous` (n,).

    Encoders change the number every other frame, so in the frames between the same number is next to certain.
    """
    distance = np.abs(np.arange(1, codebooks + 1)[None] - previous[:, None])
    fall = STEEPNESSES[steepness] if frame % COUNT_GROUP == 0 else max(STEEPNESSES)
    weights = np.maximum((1 << 12) >> np.minimum(fall * distance, 12), 1)
    whole: np.ndarray = weights * (TOTAL // weights.sum(axis=1, keepdims=True))
    whole[np.arange(len(previous)), previous - 1] += TOTAL - whole.sum(axis=1)
    return whole
