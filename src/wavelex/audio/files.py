"""Audio files and float32 samples: reading, writing, resampling. Knows nothing of codecs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from wavelex.errors import WavelexError
from wavelex.files import is_pipe, open_to_read, replacing, shown

EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"})
WRITTEN: dict[str, tuple[str, str | None]] = {
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", None),
    "aiff": ("AIFF", "PCM_16"),
    "aif": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}
MOST_CHANNELS = 64
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Hz; a file that says another rate is damaged, or is no recording."""
BLOCK_SECONDS = 10
BLOCK_SAMPLES = 1 << 22
"""Of all channels together; a block is no longer than that at any rate."""
RESAMPLED_AT_ONCE = 1 << 17
"""Samples a channel, before or after, whichever is more: what the resampler takes memory for."""
WRITE_SAMPLES = 1 << 16
COUNTED_IN_32_BITS = frozenset({"WAV", "AIFF", "AU"})
LIMIT = 2**32 - 4096
"""Bytes of samples in such a format, which leaves room for the header."""
LOUDEST = 8.0
"""Full scale is 1 and a clipped recording a little over it; what is louder is in other units."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Samples (channels, T) float32 in [-1, 1] at `sample_rate` Hz. Equal where all of that is."""

    samples: np.ndarray
    sample_rate: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Audio):
            return NotImplemented
        return self.sample_rate == other.sample_rate and np.array_equal(self.samples, other.samples)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        return len(self) / self.sample_rate

    def mono(self) -> np.ndarray:
        """The mean of the channels, (T,)."""
        mixed: np.ndarray = self.samples.mean(axis=0, dtype=np.float32)
        return mixed

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as 16-bit audio in the format of the name's ending."""
        write_audio(path, self)


def read_audio(source: str | os.PathLike[str] | BinaryIO) -> Audio:
    """The whole file. Raises WavelexError if it is missing, not audio, without samples or not finite."""
    with AudioReader(source) as reader:
        blocks = list(reader.blocks())
        samples = np.concatenate(blocks, axis=1) if blocks else np.zeros((reader.channels, 0), np.float32)
        return Audio(samples, reader.sample_rate)


class AudioReader:
    """An open audio file, read in blocks. Context manager.

    Raises WavelexError where the file is missing, unreadable, not audio, or holds samples that are not finite.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        target: object = source
        if isinstance(source, (str, os.PathLike)):
            self.name = shown(source)
            opened = open_to_read(source, "an audio file")
            if not opened.read(1):
                raise WavelexError(f"{self.name}: the file is empty (0 bytes); record or copy it again")
            if is_pipe(source):
                # It cannot be opened a second time.
                opened.seek(0)
                target = opened
            else:
                opened.close()
                # As bytes, since soundfile would refuse to encode a name that is not UTF-8.
                target = os.fsencode(source)
        elif hasattr(source, "read"):
            self.name = "standard input"
        else:
            raise WavelexError(f"a {type(source).__name__} is no recording; give a path, an open file, or samples as an array")
        try:
            self._file = soundfile.SoundFile(target)
        except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError, ValueError) as error:
            raise WavelexError(f"{self.name}: not an audio file that can be read (wav, flac, ogg, opus, mp3); convert it first") from error
        self.sample_rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.length = max(0, int(self._file.frames))
        """Samples a channel, as far as the file says."""
        wrong = ""
        if self.channels > MOST_CHANNELS:
            wrong = f"has {self.channels} channels; mix it down to {MOST_CHANNELS} or fewer"
        elif not LOWEST_RATE <= self.sample_rate <= HIGHEST_RATE:
            wrong = f"says a rate of {self.sample_rate} Hz, which is not {LOWEST_RATE} to {HIGHEST_RATE}; export it again"
        if wrong:
            self._file.close()
            raise WavelexError(f"{self.name}: {wrong}")

    def blocks(self) -> Iterator[np.ndarray]:
        """Samples (channels, up to 10 s) until the end of the file."""
        position = 0
        size = min(BLOCK_SECONDS * self.sample_rate, BLOCK_SAMPLES // self.channels)
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise WavelexError(
                    f"{self.name}: damaged after {position / self.sample_rate:.1f} s; copy it again or cut it there"
                ) from error
            if not len(block):
                return
            check_finite(block, self.name)
            if (loudest := _peak(block)) > LOUDEST:
                raise WavelexError(f"{self.name}: holds samples up to {loudest:g}, where full scale is 1; export it again in [-1, 1]")
            position += len(block)
            yield block.T

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def raw_pcm(source: BinaryIO, sample_rate: int) -> Audio:
    """Bare 16-bit little-endian mono samples without a header. Raises WavelexError for half a sample."""
    data = source.read()
    if len(data) % 2:
        raise WavelexError(f"standard input: {len(data)} bytes are not whole 16-bit samples; send little-endian 16-bit mono")
    return Audio(np.frombuffer(data, "<i2").astype(np.float32)[None] / 32768, sample_rate)


def check_finite(samples: np.ndarray, name: str) -> None:
    """Raises WavelexError if any sample is NaN or infinite."""
    if not np.isfinite(samples).all():
        raise WavelexError(f"{name}: holds samples that are NaN or infinite; repair or re-export the recording")


def _peak(samples: np.ndarray) -> float:
    return float(np.abs(samples).max(initial=0.0))


def as_samples(array: Any, most_channels: int = MOST_CHANNELS) -> np.ndarray:
    """(T,) or (channels, T) of floats or of int16, array or tensor on any device, as float32 (channels, T).

    Raises WavelexError for other shapes and types and for values that are not finite or far beyond full scale.
    """
    array = array.detach().cpu().float().numpy() if _is_float_tensor(array) else np.asarray(array)
    if array.ndim not in (1, 2):
        raise WavelexError(f"samples of shape {array.shape} are not (T,) or (channels, T)")
    if array.dtype == np.int16:
        array = array.astype(np.float32) / 32768
    elif not np.issubdtype(array.dtype, np.floating):
        raise WavelexError(f"samples of type {array.dtype}; give float in [-1, 1] or int16")
    samples: np.ndarray = np.atleast_2d(array.astype(np.float32))
    if samples.shape[0] == 0:
        raise WavelexError("samples have no channels; give (T,) or (channels, T)")
    if samples.shape[0] > most_channels:
        raise WavelexError(f"samples of shape {samples.shape} would be {samples.shape[0]} channels; give (channels, T), not (T, channels)")
    check_finite(samples, "samples")
    if (loudest := _peak(samples)) > LOUDEST:
        raise WavelexError(f"samples up to {loudest:g}: give floats in [-1, 1] or int16")
    return samples


def _is_float_tensor(array: Any) -> bool:
    # Told by what it can do, since this module does without torch.
    return hasattr(array, "detach") and bool(array.is_floating_point())


def write_audio(path: str | os.PathLike[str], audio: Audio) -> None:
    """Write 16-bit audio in the format of the name's ending; complete or not at all."""
    with AudioWriter(path, audio.sample_rate, audio.samples.shape[0], len(audio)) as writer:
        writer.write(audio.samples)


class AudioWriter:
    """A 16-bit audio file written in blocks under a temporary name, renamed when it is complete.

    `expected` samples a channel (None where that is not known) choose RF64 where a WAV could not hold them.
    Raises WavelexError for what the format cannot hold.
    """

    def __init__(self, path: str | os.PathLike[str] | BinaryIO, sample_rate: int, channels: int, expected: int | None) -> None:
        self._replacing = None if hasattr(path, "write") else replacing(Path(path))  # type: ignore[arg-type]
        self._name = "standard output" if self._replacing is None else shown(path)  # type: ignore[arg-type]
        target = path if self._replacing is None else os.fsencode(self._replacing.__enter__())
        ending = "" if self._replacing is None else Path(path).suffix.lower().lstrip(".")  # type: ignore[arg-type]
        self._kind = "audio"
        self._room = 0
        try:
            self._kind, subtype = file_format(ending, None if expected is None else 2 * channels * expected)
            self._room = LIMIT // (2 * channels) if self._kind in COUNTED_IN_32_BITS else sys.maxsize
            self._file = soundfile.SoundFile(target, "w", sample_rate, channels, subtype=subtype, format=self._kind)
        except WavelexError as error:
            self._abandon()
            raise WavelexError(f"{self._name}: {error}") from error
        except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError, OverflowError) as error:
            self._abandon()
            raise WavelexError(f"{self._name}: cannot be written as {self._kind} at {sample_rate} Hz with {channels} channels") from error

    def write(self, samples: np.ndarray) -> None:
        """Append (channels, T); values beyond full scale are clipped."""
        self._room -= samples.shape[1]
        if self._room < 0:
            raise WavelexError(f"{self._name}: is more than {self._kind} can hold (4 GB); end the name in .w64, .caf or .flac")
        # In slices: libsndfile's Vorbis encoder overruns its stack on a very long write.
        for start in range(0, samples.shape[1], WRITE_SAMPLES):
            self._file.write(np.clip(samples[:, start : start + WRITE_SAMPLES].T, -1.0, 1.0))

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._file.close()
        except BaseException:
            self._abandon()
            raise
        if error is not None:
            self._abandon()
        elif self._replacing is not None:
            self._replacing.__exit__(None, None, None)

    def _abandon(self) -> None:
        if self._replacing is not None:
            self._replacing.abandon()


def file_format(ending: str, size: int | None) -> tuple[str, str | None]:
    """libsndfile's format and subtype for a name's ending ("" is wav) and a number of bytes of samples, None if that is not known.

    Raises WavelexError for an ending that is not an audio format's.
    """
    if ending in ("", "wav"):
        return ("RF64" if size is None or size > LIMIT else "WAV"), "PCM_16"
    if ending not in WRITTEN:
        raise WavelexError(f"unknown audio format {shown(ending)!r}; end the name in .wav or .{', .'.join(WRITTEN)}")
    kind, subtype = WRITTEN[ending]
    if kind in COUNTED_IN_32_BITS and (size or 0) > LIMIT:
        raise WavelexError(f"{size} bytes of samples are more than {kind} can hold; end the name in .wav, .w64, .caf or .flac")
    return kind, subtype


class Resampler:
    """Streaming resampling of (channels, T) blocks by soxr; passes blocks through when the rates are equal."""

    def __init__(self, from_rate: int, to_rate: int, channels: int) -> None:
        self._stream = None if from_rate == to_rate else soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")
        self._piece = max(1, RESAMPLED_AT_ONCE * from_rate // max(from_rate, to_rate))

    def push(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """A block in, what is ready out; `last` empties the filter."""
        if self._stream is None:
            return samples
        pieces = []
        for start in range(0, max(1, samples.shape[1]), self._piece):
            piece = np.ascontiguousarray(samples[:, start : start + self._piece].T)
            ends = last and start + self._piece >= samples.shape[1]
            pieces.append(self._stream.resample_chunk(piece, last=ends))
        return np.ascontiguousarray((pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).T)


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """The whole of (channels, T) at another rate."""
    return Resampler(from_rate, to_rate, samples.shape[0]).push(samples, last=True)


def find_audio(root: Path) -> list[Path]:
    """Audio files below a folder, in a fixed order."""
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file() and not p.name.startswith("."))
