"""Float32 samples to audio files: complete or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from wavelex.errors import WavelexError
from wavelex.files import replacing, shown

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
WRITE_SAMPLES = 1 << 16
COUNTED_IN_32_BITS = frozenset({"WAV", "AIFF", "AU"})
LIMIT = 2**32 - 4096
"""Bytes of samples in such a format, which leaves room for the header."""


class Sounds(Protocol):
    """Samples (channels, T) at a rate; an `Audio` is one."""

    @property
    def samples(self) -> np.ndarray: ...
    @property
    def sample_rate(self) -> int: ...


def write_audio(path: str | os.PathLike[str], audio: Sounds) -> None:
    """Write 16-bit audio in the format of the name's ending; complete or not at all."""
    with AudioWriter(path, audio.sample_rate, audio.samples.shape[0], audio.samples.shape[1]) as writer:
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
