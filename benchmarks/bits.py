"""Bits really written for the same codes by each coding, header and all, and how fast the coder alone is.

    python benchmarks/bits.py FOLDER [--limit N] [--model speech-16k] [--effort 2]

Every file is decoded again and compared.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import wavelex
from wavelex.audio.recordings import list_recordings
from wavelex.search.effort import DEFAULT_EFFORT
from wavelex.tokens.entropy.blocks import ModelledCoder
from wavelex.tokens.format.header import block_frames_at
from wavelex.tokens.tokens import AudioTokens

COUNTS = (1, 2, 4, 8)
CODINGS = ("packed", "context", "neural")
PACKETS = (1, 2, 5, 10, 25, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--effort", type=int, default=DEFAULT_EFFORT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = wavelex.load(options.model)
    paths = [recording.path for recording in list_recordings(options.folder)]
    chosen = paths[:: max(1, len(paths) // options.limit)] if options.limit else paths
    print(f"codes by effort {options.effort}; kbit/s of whole files, in brackets of blocks without the header;")
    print("times real time of the coder alone\n")
    print("| codebooks | nominal | packed | context | neural | context under nominal | neural under nominal |")
    print("|---|---|---|---|---|---|---|")
    speeds: dict[str, list[float]] = {coding: [0.0, 0.0] for coding in CODINGS[1:]}
    heard = 0.0
    for count in COUNTS:
        tokens = [codec.encode(path, codebooks=count, effort=options.effort) for path in chosen]
        seconds = sum(item.seconds for item in tokens)
        rows, blocks = [], {}
        for coding in CODINGS:
            begun = time.perf_counter()
            files = [item.to_bytes(coding) for item in tokens]
            middle = time.perf_counter()
            for item, data in zip(tokens, files, strict=True):
                assert np.array_equal(AudioTokens.from_bytes(data).codes, item.codes)
            if coding in speeds and count == max(COUNTS):
                speeds[coding] = [seconds / (middle - begun), seconds / (time.perf_counter() - middle)]
                heard = seconds
            whole = 8 * sum(map(len, files)) / seconds / 1000
            headers = sum(len(item.header(coding).to_bytes()) for item in tokens)
            blocks[coding] = whole - 8 * headers / seconds / 1000
            rows.append(f"{whole:.3f} ({blocks[coding]:.3f})")
        nominal = codec.bitrate(count) / 1000
        saved = [f"{1 - blocks[coding] / nominal:.1%}" for coding in CODINGS[1:]]
        print(f"| {count} | {nominal:.1f} | {' | '.join(rows)} | {' | '.join(saved)} |")
    print(f"\n{len(chosen)} recordings, {heard:.0f} s, blocks of {block_frames_at(codec.frame_rate)} frames")
    for coding, (encode, decode) in speeds.items():
        print(f"{coding}, {max(COUNTS)} codebooks, one thread: {encode:.0f}x real time to bytes, {decode:.0f}x back")
    print("\nneural prior in packets that know nothing of each other, payload alone, under nominal:\n")
    print("| packet, ms | " + " | ".join(f"{count} codebooks" for count in COUNTS) + " |")
    print("|---|" + "---|" * len(COUNTS))
    stored = codec.priors.for_coding(codec.weights_hash, "neural")[1]
    assert stored is not None
    some = chosen[:: max(1, len(chosen) // 20)]
    for size in PACKETS:
        cells = []
        for count in COUNTS:
            coder, bits, frames = ModelledCoder(stored.prior, count), 0, 0
            for path in some:
                codes = codec.encode(path, codebooks=count, effort=options.effort).codes
                bits += sum(8 * len(coder.encode(codes[:, :, i : i + size])) for i in range(0, codes.shape[2], size))
                frames += codes.shape[2]
            cells.append(f"{1 - bits / frames * codec.frame_rate / codec.bitrate(count):.1%}")
        print(f"| {1000 * size / codec.frame_rate:.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
