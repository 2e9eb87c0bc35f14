"""Some steps of training on recordings, then encoding with the result. A real training takes hours: `wavelex train --help`.

python examples/train.py [RECORDINGS_FOLDER RUN_FOLDER]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from synthetic import voice

import wavelex

SMALL = {"encoder_width": 32, "encoder_hidden": 48, "decoder_width": 32, "decoder_hidden": 48}
"""A design that a few seconds can train; leave --arguments away for the size of the shipped model."""
QUICK = {"kmeans_batches": 4, "warmup": 5, "log_every": 10}


def main(recordings: Path, run: Path) -> None:
    run.parent.mkdir(parents=True, exist_ok=True)
    settings = run.with_suffix(".json")
    settings.write_text(json.dumps(QUICK))
    options = ["--data", recordings, "--out", run, "--arguments", json.dumps(SMALL), "--settings", settings, "--batch", "4"]
    steps = ["--steps", "autoencoder=10", "--steps", "codes=10"]
    subprocess.run([sys.executable, "-m", "wavelex", "train", *map(str, options), *steps, "--threads", "1"], check=True)
    codec = wavelex.load(run)  # the folder of a run is a model's name
    tokens = codec.encode(voice(1.0), codebooks=4)
    print(f"{codec.name} {codec.weights_hash} gives codes {tokens.codes.shape}; {len(tokens.to_bytes())} bytes as a file")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "recordings"
            folder.mkdir()
            for number in range(6):
                wavelex.Audio(voice(2.0, seed=number)[None], 16_000).save(folder / f"{number}.wav")
            main(folder, Path(temporary) / "run")
