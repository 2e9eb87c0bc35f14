"""Long signals through a codec piece by piece, in memory that does not grow with their length."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from torch import Tensor

from wavelex.audio.reading import AudioReader
from wavelex.audio.samples import BLOCK_SECONDS, Audio, as_samples
from wavelex.codec.streams import StreamDecoder, StreamEncoder
from wavelex.errors import WavelexError

Source = str | os.PathLike[str] | BinaryIO | np.ndarray | Tensor | Audio


class SourceReader:
    """Any source as pieces of samples (channels, n). Context manager.

    `sample_rate` is that of an array or tensor, `otherwise` unless given. Raises WavelexError for a rate given for what has its own.
    """

    def __init__(self, source: Source, sample_rate: int | None, otherwise: int) -> None:
        self._file: AudioReader | None = None
        self._samples = np.zeros((1, 0), np.float32)
        self.sample_rate = sample_rate or otherwise
        if isinstance(source, Audio):
            self._samples, self.sample_rate = as_samples(source.samples), source.sample_rate
        elif isinstance(source, (np.ndarray, Tensor)):
            self._samples = as_samples(source)
        elif isinstance(source, (str, os.PathLike)) or hasattr(source, "read"):
            self._file = AudioReader(source)
            self.sample_rate = self._file.sample_rate
        else:
            raise WavelexError(f"a {type(source).__name__} is not a recording; give a path, an open file, Audio, an array or a tensor")
        self.name = self._file.name if self._file else "samples"
        self.channels = self._file.channels if self._file else self._samples.shape[0]
        self.length = self._file.length if self._file else self._samples.shape[1]
        """Samples a channel, as far as the source says; a file may hold fewer or more."""
        if sample_rate not in (None, self.sample_rate):
            self.__exit__()
            raise WavelexError(f"{self.name}: has {self.sample_rate} Hz, not {sample_rate}; sample_rate is for samples that do not say")

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


class EncodedSignal:
    """Iterates over the codes (streams, codebooks, n) of a source, in memory that does not grow with its length."""

    def __init__(self, source: SourceReader, encoder: StreamEncoder, per_channel: bool) -> None:
        self.source, self.encoder, self.per_channel = source, encoder, per_channel
        self.length = 0
        """Samples of the source so far; all of them once iterated."""

    @property
    def share(self) -> float:
        """How much of the source has been encoded, from 0 to 1."""
        return min(1.0, self.length / max(1, self.source.length))

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.source.blocks():
            self.length += block.shape[1]
            yield self.encoder.push(block if self.per_channel else mixed(block, self.encoder.channels, self.source.name))
        yield self.encoder.flush()


class DecodedSignal:
    """Iterates over the samples (channels, n) of pieces of codes: exactly `length` samples."""

    def __init__(self, pieces: Iterator[np.ndarray], decoder: StreamDecoder, length: int) -> None:
        self.pieces, self.decoder, self.length = pieces, decoder, length

    def __iter__(self) -> Iterator[np.ndarray]:
        given = 0
        for piece in self.pieces:
            ready = self.decoder.push(piece)[:, : self.length - given]
            given += ready.shape[1]
            yield ready
        yield fit(self.decoder.flush(), self.length - given)


def mixed(samples: np.ndarray, channels: int, name: str) -> np.ndarray:
    """Samples of any number of channels as one, their mean; or as two, if they are two or one, which becomes both.

    Raises WavelexError for more than two where two are wanted.
    """
    if channels == 1:
        mono: np.ndarray = samples.mean(axis=0, keepdims=True)
        return mono
    if samples.shape[0] > channels:
        raise WavelexError(f"{name}: has {samples.shape[0]} channels, and this codec codes {channels}; mix it down")
    return np.broadcast_to(samples, (channels, samples.shape[1]))


def fit(samples: np.ndarray, length: int) -> np.ndarray:
    """Cut, or fill with silence (a resampler may end a sample early), to (channels, length)."""
    cut = samples[:, :length]
    return np.pad(cut, ((0, 0), (0, length - cut.shape[1])))
