"""Encode and decode of a 10 s clip on one thread, beside transformers' EncodecModel in the same run.

    python benchmarks/speed.py [--runs 15] [--model speech-16k] [--effort 0]

The two take turns, so that a noisy machine slows both; EnCodec has random weights (24 kHz, 6 kbit/s).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from transformers import EncodecConfig, EncodecModel

import wavelex
from wavelex.bench.run.sample import speak

SECONDS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--effort", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = wavelex.load(options.model)
    spoken = np.tile(speak().mono(), 10)
    ours = spoken[: SECONDS * codec.sample_rate]
    encodec = EncodecModel(EncodecConfig()).eval()
    theirs = torch.from_numpy(spoken[: SECONDS * 24_000])[None, None]

    def run_ours() -> None:
        codec.decode(codec.encode(ours, effort=options.effort))

    def run_theirs() -> None:
        with torch.inference_mode():
            encoded = encodec.encode(theirs, bandwidth=6.0)
            encodec.decode(encoded.audio_codes, encoded.audio_scales)

    mine, peer = [], []
    for _ in range(options.runs):
        mine.append(timed(run_ours))
        peer.append(timed(run_theirs))
    ratios = np.array(peer) / np.array(mine)
    parameters = sum(p.numel() for p in codec.model.parameters())
    told = f"{codec.name}, {parameters / 1e6:.2f} M parameters and {codec.codebooks} codebooks, effort {options.effort}"
    print(f"{told}, encode + decode of {SECONDS} s, one thread")
    for name, times in (("wavelex", mine), ("EnCodec 24 kHz, 6 kbit/s", peer)):
        low, middle, high = np.percentile(times, [0, 50, 100])
        speeds = ", ".join(f"{word} {SECONDS / value:.0f}x" for word, value in (("best", low), ("worst", high)))
        print(f"{name}: median {1000 * middle:.0f} ms = {SECONDS / middle:.0f}x real time ({speeds})")
    print(f"ratio, pair by pair: median {np.median(ratios):.1f}, {ratios.min():.1f} to {ratios.max():.1f}")


def timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
