"""A recording to tokens, to a file, and back, at several rates.

python examples/files.py [RECORDING] [OUTPUT_FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import wavelex
from wavelex.data import demo_recording


def main(recording: str | None = None, output: str = "example-output") -> None:
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    audio = wavelex.read_audio(recording) if recording else demo_recording()
    audio.save(folder / "original.wav")

    codec = wavelex.load("speech-16k")
    for codebooks in (1, 2, 4, 8):
        tokens = codec.encode(audio, codebooks=codebooks)
        path = folder / f"codebooks-{codebooks}.wlx"
        tokens.save(path)
        codec.decode(path).save(path.with_suffix(".wav"))
        written = 8 * path.stat().st_size / tokens.seconds
        print(f"{codebooks} codebooks: {tokens.bitrate / 1000:.2f} kbit/s of codes, {written / 1000:.2f} kbit/s as written to {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
