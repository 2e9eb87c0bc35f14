"""Is the shipped model as good as when its figures were committed? A small set of synthetic speech through the regression gate.

python benchmarks/gate.py [--update]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from wavelex.bench.run.sample import speak

BASELINE = Path(__file__).with_name("gate.json")
SENTENCES = (
    "The birch canoe slid on the smooth planks.",
    "A quick look at the map showed us a shorter way over the hill.",
    "She measured seven figures twice and wrote down only the third.",
    "Why would anyone leave a warm house on a morning like this?",
    "Fish, bread and two small onions were all that the kitchen held.",
    "The train to the north leaves from platform nine at a quarter past five.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="Make today's figures the ones to be held against.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips, out = Path(folder) / "clips", Path(folder) / "out"
        clips.mkdir()
        for number, sentence in enumerate(SENTENCES):
            speak(sentence).save(clips / f"{number}.wav")
        words = ["bench", clips.name, "--codec", "speech-16k", "-n", "2,8", "--metrics", "pesq,stoi,mel,buzz", "--no-timing"]
        words += ["--cache", "cache.sqlite", "--out", out.name]
        words += [] if options.update else ["--against", str(BASELINE.resolve())]
        code = subprocess.run([sys.executable, "-m", "wavelex", *words], cwd=folder).returncode
        if options.update and not code:
            shutil.copy(out / "results.json", BASELINE)
    sys.exit(code)


if __name__ == "__main__":
    main()
