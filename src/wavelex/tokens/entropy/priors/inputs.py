"""What a prior sees of codes: integer sums of integer code vectors, the same on every machine."""

from __future__ import annotations

import numpy as np

INPUT_SCALE = 32
"""Steps a unit of the inputs, a unit being the standard deviation of the latents in a dimension."""
SIGNED = 127
"""Largest magnitude of an input or a weight."""
WEIGHT_SCALE = 64
"""Steps a unit of the weights."""
HIDDEN_SCALE = 64
"""Steps a unit of the hidden values."""
UNSIGNED = 255
"""Largest hidden value, in steps."""
PAST = 4
"""Frames seen one by one; of those before, their mean."""
FLAGS = 2
"""Besides its latents a past frame tells that it is there, and its share of the codebooks."""


def context_width(dim: int) -> int:
    """Numbers that a frame is predicted from, besides its own coarser codes."""
    return PAST * (dim + FLAGS) + dim


def whole_vectors(vectors: np.ndarray) -> np.ndarray:
    """Code vectors (codebooks, size, dim) as int16, a step being 1 / INPUT_SCALE of the deviation of a sum of random ones."""
    deviation = np.sqrt(vectors.var(axis=1).sum(axis=0))
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    whole: np.ndarray = np.round(centred / np.maximum(deviation, 1e-6) * INPUT_SCALE).astype(np.int16)
    return whole


def partial_sums(codes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Codes (codebooks, ...) with -1 for absent ones to int32 sums (codebooks + 1, ..., dim): entry k is what k codebooks say."""
    known = np.stack([np.where(row[..., None] >= 0, table[row], 0) for row, table in zip(codes, vectors, strict=False)])
    return np.concatenate([np.zeros_like(known[:1], np.int32), np.cumsum(known, axis=0, dtype=np.int32)])


def clipped(sums: np.ndarray) -> np.ndarray:
    """Sums of vectors as inputs."""
    limited: np.ndarray = np.clip(sums, -SIGNED, SIGNED)
    return limited


def all_contexts(sums: np.ndarray, counts: np.ndarray, codebooks: int) -> np.ndarray:
    """What every frame is predicted from: sums (lanes, frames, dim) and codebook counts (lanes, frames) to (lanes, frames, context_width).

    A lane begins without a past.
    """
    lanes, frames, dim = sums.shape
    flags = np.stack([np.full_like(counts, INPUT_SCALE), counts * INPUT_SCALE // codebooks], axis=-1)
    each = np.concatenate([clipped(sums), flags], axis=-1).astype(np.int32)
    padded = np.concatenate([np.zeros((lanes, PAST, dim + FLAGS), np.int32), each], axis=1)
    past = [padded[:, PAST - back : PAST - back + frames] for back in range(1, PAST + 1)]
    total = np.cumsum(sums, axis=1, dtype=np.int64) - sums
    mean = clipped(total // np.maximum(1, np.arange(frames))[None, :, None])
    return np.concatenate([*past, mean], axis=2)
