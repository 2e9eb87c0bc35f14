"""Audio files to float32 samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from wavelex.audio.samples import BLOCK_SECONDS, HIGHEST_RATE, LOUDEST, LOWEST_RATE, MOST_CHANNELS, Audio, check_finite, peak
from wavelex.errors import WavelexError
from wavelex.files import is_pipe, open_to_read, shown

EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"})
BLOCK_SAMPLES = 1 << 22
"""Of all channels together; a block is no longer than that at any rate."""


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
            if (loudest := peak(block)) > LOUDEST:
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


def find_audio(root: Path) -> list[Path]:
    """Audio files below a folder, in a fixed order."""
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file() and not p.name.startswith("."))
