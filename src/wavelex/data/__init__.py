"""A recording that comes with the package, for a first look."""

from __future__ import annotations

from pathlib import Path

from wavelex.audio.reading import read_audio
from wavelex.audio.samples import Audio

DEMO_NAME = "LJ001-0016 of LJ Speech"


def demo_recording() -> Audio:
    """5.3 s of read English at 24 kHz, in the public domain; see the README beside it."""
    return read_audio(Path(__file__).with_name("lj001-0016.flac"))
