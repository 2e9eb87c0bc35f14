"""A folder of recordings to packed token files, in batches. Files that are there already are left out, so it can be stopped and run again.

python examples/folder.py [RECORDINGS_FOLDER OUTPUT_FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from synthetic import voice

import wavelex

BATCH = 32
ENDINGS = {".wav", ".flac", ".mp3", ".ogg", ".opus"}


def main(folder: Path, output: Path) -> None:
    codec = wavelex.load("speech-16k")
    targets = {
        path: (output / path.relative_to(folder)).with_suffix(".wlx")
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in ENDINGS
    }
    missing = [path for path, target in targets.items() if not target.exists()]
    for begin in range(0, len(missing), BATCH):
        batch = missing[begin : begin + BATCH]
        for path, tokens in zip(batch, codec.encode_batch(batch, effort=0), strict=True):
            targets[path].parent.mkdir(parents=True, exist_ok=True)
            # Packed files are larger than the default ones and are read almost at once, which is what training on them needs.
            tokens.save(targets[path], coding="packed")
        print(f"{begin + len(batch)} of {len(missing)} recordings")
    sizes = [target.stat().st_size for target in targets.values()]
    print(f"{len(sizes)} token files of {sum(sizes)} bytes in {output}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            recordings = Path(temporary) / "recordings"
            for number in range(6):
                (recordings / f"speaker-{number % 2}").mkdir(parents=True, exist_ok=True)
                audio = wavelex.Audio(voice(1.0 + number / 4, seed=number)[None], 16_000)
                audio.save(recordings / f"speaker-{number % 2}" / f"{number}.wav")
            main(recordings, Path("coded"))
