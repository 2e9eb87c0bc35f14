"""Tokens as ids, a toy language model over them, and sampled ids back to sound.

The model is a bigram model: it counts which id follows which. It is here to show the way of the data; put a real model in its place.

python examples/language_model.py [RECORDING...]
"""

from __future__ import annotations

import sys

import numpy as np
from synthetic import voice

import wavelex

CODEBOOKS = 2
SPECIAL = 2
"""Ids before those of the codes: 0 begins a recording, 1 ends it."""


def train(sequences: list[np.ndarray], size: int) -> np.ndarray:
    """How often each id follows each, (size, size)."""
    counts = np.zeros((size, size))
    for ids in sequences:
        framed = np.concatenate([[0], ids, [1]])
        np.add.at(counts, (framed[:-1], framed[1:]), 1)
    return counts


def sample(counts: np.ndarray, sizes: tuple[int, ...], frames: int, rng: np.random.Generator) -> list[int]:
    """Ids of up to so many frames. Only ids of the codebook whose turn it is are allowed, so that every frame is whole."""
    begins = SPECIAL + np.concatenate([[0], np.cumsum(sizes)])
    ids: list[int] = []
    last = 0
    while len(ids) < frames * len(sizes):
        book = len(ids) % len(sizes)
        allowed = np.zeros(len(counts), bool)
        allowed[begins[book] : begins[book + 1]] = True
        allowed[1] = book == 0 and bool(ids)  # a recording may end between frames
        chances = np.where(allowed, counts[last] + 1e-6, 0)
        last = int(rng.choice(len(counts), p=chances / chances.sum()))
        if last == 1:
            break
        ids.append(last)
    return ids


def main(recordings: list[str]) -> None:
    codec = wavelex.load("speech-16k")
    sources = recordings or [voice(3.0, seed=seed) for seed in range(4)]
    encoded = codec.encode_batch(sources, codebooks=CODEBOOKS, effort=0)
    sequences = [tokens.to_ids(first=SPECIAL)[0] for tokens in encoded]
    sizes = encoded[0].codebook_sizes
    counts = train(sequences, SPECIAL + sum(sizes))
    ids = sample(counts, sizes, frames=150, rng=np.random.default_rng(0))
    tokens = wavelex.AudioTokens.from_ids(ids, codec, codebooks=CODEBOOKS, first=SPECIAL)
    codec.decode(tokens).save("sampled.wav")
    told = f"{sum(map(len, sequences))} ids of {len(sequences)} recordings"
    print(f"{told}; sampled {len(ids)} ids, {tokens.seconds:.2f} s of sound, in sampled.wav")


if __name__ == "__main__":
    main(sys.argv[1:])
