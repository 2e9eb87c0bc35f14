"""Long signals through a codec block by block, in memory that does not grow with their length."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import numpy as np
from torch import Tensor

from wavelex.audio.files import BLOCK_SECONDS, Audio, AudioReader, Resampler, as_samples
from wavelex.codec.streams import StreamDecoder

Source = str | os.PathLike[str] | BinaryIO | np.ndarray | Tensor | Audio


class EncodingSession(Protocol):
    """Samples in, codes out; see `StreamEncoder`."""

    streams: int

    def push(self, samples: np.ndarray) -> np.ndarray: ...

    def flush(self) -> np.ndarray: ...


class SourceReader:
    """Any source as blocks of samples (channels, n). Context manager."""

    def __init__(self, source: Source, sample_rate: int) -> None:
        self._file: AudioReader | None = None
        self._samples = np.zeros((1, 0), np.float32)
        self.sample_rate = sample_rate
        if isinstance(source, Audio):
            self._samples, self.sample_rate = as_samples(source.samples), source.sample_rate
        elif isinstance(source, (np.ndarray, Tensor)):
            self._samples = as_samples(source.detach().cpu().numpy() if isinstance(source, Tensor) else source)
        else:
            self._file = AudioReader(source)
            self.sample_rate = self._file.sample_rate
        self.name = self._file.name if self._file else "samples"
        self.channels = self._file.channels if self._file else self._samples.shape[0]

    def blocks(self) -> Iterator[np.ndarray]:
        if self._file:
            yield from self._file.blocks()
        else:
            step = BLOCK_SECONDS * self.sample_rate
            yield from (self._samples[:, i : i + step] for i in range(0, self._samples.shape[1], step))

    def __enter__(self) -> SourceReader:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.__exit__(*error)


class EncodedBlocks:
    """Iterates over the codes (streams, codebooks, n) of a source, in memory that does not grow with its length."""

    def __init__(self, source: SourceReader, session: EncodingSession, sample_rate: int, per_channel: bool) -> None:
        self.source, self.session, self.sample_rate, self.per_channel = source, session, sample_rate, per_channel
        self.length = 0
        """Samples of the source so far; all of them once iterated."""

    def __iter__(self) -> Iterator[np.ndarray]:
        session = self.session
        resampler = Resampler(self.source.sample_rate, self.sample_rate, session.streams)
        for block in self.source.blocks():
            self.length += block.shape[1]
            yield session.push(resampler.push(block if self.per_channel else block.mean(axis=0, keepdims=True)))
        yield session.push(resampler.push(np.zeros((session.streams, 0), np.float32), last=True))
        yield session.flush()


class DecodedBlocks:
    """Iterates over the samples (streams, n) at `rate` of pieces of codes at `sample_rate`: exactly `length` samples."""

    def __init__(self, pieces: Iterator[np.ndarray], session: StreamDecoder, sample_rate: int, rate: int, length: int) -> None:
        self.pieces, self.session, self.sample_rate, self.rate, self.length = pieces, session, sample_rate, rate, length

    def __iter__(self) -> Iterator[np.ndarray]:
        session = self.session
        resampler = Resampler(self.sample_rate, self.rate, session.streams)
        given = 0
        for piece in self.pieces:
            ready = resampler.push(session.push(piece))[:, : self.length - given]
            given += ready.shape[1]
            yield ready
        rest = np.concatenate(
            [resampler.push(session.flush()), resampler.push(np.zeros((session.streams, 0), np.float32), last=True)], axis=1
        )
        yield fit(rest, self.length - given)


def fit(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut, or fill with silence (a resampler may end a sample early), to (streams, length)."""
    cut = samples[:, :length]
    return np.pad(cut, ((0, 0), (0, length - cut.shape[1])))
