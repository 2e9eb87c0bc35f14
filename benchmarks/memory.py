"""Peak memory of `wavelex encode` and `wavelex decode` for a short and a long recording.

python benchmarks/memory.py [--minutes 5 60] [--model speech-16k]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from wavelex.audio.writing import AudioWriter
from wavelex.bench.run.sample import speak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, nargs="+", default=[5, 60])
    parser.add_argument("--model", default="speech-16k")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            recording, coded, decoded = (Path(folder) / f"{minutes}.{ending}" for ending in ("wav", "wlx", "decoded.wav"))
            write_recording(recording, minutes)
            model = ["--model", options.model]
            encoding = peak("encode", str(recording), "-o", str(coded), *model)
            decoding = peak("decode", str(coded), "-o", str(decoded), *model)
            print(f"{minutes} min: encode {encoding:.0f} MB, decode {decoding:.0f} MB ({coded.stat().st_size} bytes)")


def write_recording(path: Path, minutes: int) -> None:
    spoken = speak()
    repeats = int(60 * minutes / spoken.seconds)
    with AudioWriter(path, spoken.sample_rate, 1, repeats * len(spoken)) as writer:
        for repeat in range(repeats):
            writer.write(spoken.samples * np.float32(0.5 + 0.5 * np.sin(repeat) ** 2))


def peak(*words: str) -> float:
    """Largest resident size of the command, in MB."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "wavelex", *words], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"wavelex {' '.join(words)} failed")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
