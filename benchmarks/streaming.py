"""Does streaming equal the whole signal? Worst difference over random chunkings of recordings.

python benchmarks/streaming.py FOLDER [--clips 20] [--chunkings 3] [--model speech-16k]
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch

import wavelex
from wavelex.audio.recordings import list_recordings
from wavelex.audio.resampling import resample

CHUNKS = (1, 37, 160, 320, 321, 1000, 1600, 4096, 16000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--chunkings", type=int, default=3)
    parser.add_argument("--model", default="speech-16k")
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = wavelex.load(options.model)
    paths = [recording.path for recording in list_recordings(options.folder)]
    paths = [paths[i] for i in np.linspace(0, len(paths) - 1, min(options.clips, len(paths))).astype(int)]
    differing = codes = 0
    worst = 0.0
    for number, path in enumerate(paths):
        audio = wavelex.read_audio(path)
        samples = resample(audio.mono()[None], audio.sample_rate, codec.sample_rate)[0]
        whole = codec.encode(samples)
        decoded = codec.decode(whole).samples
        for chunking in range(options.chunkings):
            streamed, heard = stream(codec, samples, random.Random(1000 * number + chunking))
            differing += int((streamed != whole.codes).sum())
            codes += streamed.size
            worst = max(worst, float(np.abs(heard[:, : len(samples)] - decoded).max()))
    print(f"{len(paths)} clips, {options.chunkings} chunkings each, chunks of {min(CHUNKS)} to {max(CHUNKS)} samples")
    print(f"codes that differ: {differing} of {codes}")
    print(f"largest difference of a sample: {worst:.2e}")
    print(f"look-ahead {1000 * codec.model.lookahead / codec.sample_rate:.1f} ms, algorithmic latency {1000 * codec.latency:.1f} ms")


def stream(codec: wavelex.Codec, samples: np.ndarray, dice: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Codes and samples of one session fed in random chunks; each chunk's codes are decoded at once."""
    encoder, decoder = codec.stream_encoder(), codec.stream_decoder()
    codes, heard, start = [], [], 0
    while start < len(samples):
        size = dice.choice(CHUNKS)
        codes.append(encoder.push(samples[start : start + size]))
        heard.append(decoder.push(codes[-1]))
        start += size
    codes.append(encoder.flush())
    heard += [decoder.push(codes[-1]), decoder.flush()]
    return np.concatenate(codes, axis=2), np.concatenate(heard, axis=1)


if __name__ == "__main__":
    main()
