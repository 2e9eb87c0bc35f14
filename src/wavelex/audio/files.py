"""Audio files and float32 samples: reading, writing, resampling. Knows nothing of codecs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from wavelex.errors import WavelexError
from wavelex.files import open_to_read, replacing

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
BLOCK_SECONDS = 10
WRITE_SAMPLES = 1 << 16
WAV_LIMIT = 2**32 - 4096
"""Bytes; a WAV counts them in 32 bits."""


@dataclass(frozen=True)
class Audio:
    """Samples (channels, T) float32 in [-1, 1] at `sample_rate` Hz."""

    samples: np.ndarray
    sample_rate: int

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
        self.name = "standard input" if hasattr(source, "read") else str(source)
        if isinstance(source, (str, os.PathLike)):
            with open_to_read(source, "an audio file") as opened:
                begins = opened.read(1)
            if not begins:
                raise WavelexError(f"{source}: the file is empty (0 bytes); record or copy it again")
        try:
            self._file = soundfile.SoundFile(_as_named(source))
        except (soundfile.LibsndfileError, RuntimeError, OSError, TypeError) as error:
            raise WavelexError(f"{self.name}: not an audio file that can be read (wav, flac, ogg, opus, mp3); convert it first") from error
        self.sample_rate, self.channels = int(self._file.samplerate), int(self._file.channels)
        self.length = max(0, int(self._file.frames))
        """Samples a channel, as far as the file says."""
        if self.channels > MOST_CHANNELS:
            self._file.close()
            raise WavelexError(f"{self.name}: has {self.channels} channels; mix it down to {MOST_CHANNELS} or fewer")

    def blocks(self) -> Iterator[np.ndarray]:
        """Samples (channels, up to 10 s) until the end of the file."""
        position = 0
        while True:
            try:
                block = self._file.read(BLOCK_SECONDS * self.sample_rate, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise WavelexError(
                    f"{self.name}: damaged after {position / self.sample_rate:.1f} s; copy it again or cut it there"
                ) from error
            if not len(block):
                return
            check_finite(block, self.name)
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


def _as_named(source: Any) -> Any:
    """A path as the system spells it, whatever its letters; soundfile itself takes UTF-8 alone. Windows has no other names."""
    return os.fsencode(source) if isinstance(source, (str, os.PathLike)) and os.name == "posix" else source


def check_finite(samples: np.ndarray, name: str) -> None:
    """Raises WavelexError if any sample is NaN or infinite."""
    if not np.isfinite(samples).all():
        raise WavelexError(f"{name}: holds samples that are NaN or infinite; repair or re-export the recording")


def as_samples(array: Any, most_channels: int = MOST_CHANNELS) -> np.ndarray:
    """(T,) or (channels, T) of floats or of int16, array or tensor on any device, as float32 (channels, T).

    Raises WavelexError for other shapes and types and for values that are not finite.
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
    return samples


def _is_float_tensor(array: Any) -> bool:
    # Told by what it can do, since this module does without torch.
    return hasattr(array, "detach") and bool(array.is_floating_point())


def write_audio(path: str | os.PathLike[str], audio: Audio) -> None:
    """Write 16-bit audio in the format of the name's ending; complete or not at all."""
    with AudioWriter(path, audio.sample_rate, audio.samples.shape[0]) as writer:
        writer.write(audio.samples)


class AudioWriter:
    """A 16-bit audio file written in blocks under a temporary name, renamed when it is complete.

    `expected` samples a channel, when known, choose RF64 where a WAV could not hold them.
    """

    def __init__(self, path: str | os.PathLike[str] | BinaryIO, sample_rate: int, channels: int, expected: int = 0) -> None:
        self._replacing = None if hasattr(path, "write") else replacing(Path(path))  # type: ignore[arg-type]
        target = path if self._replacing is None else self._replacing.__enter__()
        ending = "" if self._replacing is None else Path(path).suffix.lower().lstrip(".")  # type: ignore[arg-type]
        try:
            kind, subtype = file_format(ending, 2 * channels * expected)
            self._file = soundfile.SoundFile(_as_named(target), "w", sample_rate, channels, subtype=subtype, format=kind)
        except WavelexError as error:
            self._abandon()
            raise WavelexError(f"{path}: {error}") from error
        except (soundfile.LibsndfileError, RuntimeError, OSError, ValueError, OverflowError) as error:
            self._abandon()
            raise WavelexError(f"{path}: cannot be written as {kind} at {sample_rate} Hz with {channels} channels") from error

    def write(self, samples: np.ndarray) -> None:
        """Append (channels, T); values beyond full scale are clipped."""
        # In slices: libsndfile's Vorbis encoder overruns its stack on a very long write.
        for start in range(0, samples.shape[1], WRITE_SAMPLES):
            self._file.write(np.clip(samples[:, start : start + WRITE_SAMPLES].T, -1.0, 1.0))

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._file.close()
        if error is not None:
            self._abandon()
        elif self._replacing is not None:
            self._replacing.__exit__(None, None, None)

    def _abandon(self) -> None:
        if self._replacing is not None:
            self._replacing.abandon()


def file_format(ending: str, size: int) -> tuple[str, str | None]:
    """libsndfile's format and subtype for a name's ending ("" is wav) and a number of bytes of samples.

    Raises WavelexError for an ending that is not an audio format's.
    """
    if ending in ("", "wav"):
        return ("RF64" if size > WAV_LIMIT else "WAV"), "PCM_16"
    if ending not in WRITTEN:
        raise WavelexError(f"unknown audio format {ending!r}; end the name in .wav or .{', .'.join(WRITTEN)}")
    return WRITTEN[ending]


class Resampler:
    """Streaming resampling of (channels, T) blocks by soxr; passes blocks through when the rates are equal."""

    def __init__(self, from_rate: int, to_rate: int, channels: int) -> None:
        self._stream = None if from_rate == to_rate else soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")

    def push(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """A block in, what is ready out; `last` empties the filter."""
        if self._stream is None:
            return samples
        return np.ascontiguousarray(self._stream.resample_chunk(np.ascontiguousarray(samples.T), last=last).T)


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """The whole of (channels, T) at another rate."""
    return Resampler(from_rate, to_rate, samples.shape[0]).push(samples, last=True)


def find_audio(root: Path) -> list[Path]:
    """Audio files below a folder, in a fixed order."""
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file() and not p.name.startswith("."))
