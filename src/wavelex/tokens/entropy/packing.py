"""Codes to bits and back: fixed width a codebook, most significant bit first, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pack(codes: np.ndarray, bits: Sequence[int]) -> bytes:
    """Codes (streams, codebooks, frames) to bytes; the last byte is filled with zero bits."""
    columns = [
        (codes[stream, book][:, None] >> np.arange(width - 1, -1, -1)) & 1
        for stream in range(codes.shape[0])
        for book, width in enumerate(bits)
    ]
    return np.packbits(np.concatenate(columns, axis=1).astype(np.uint8).ravel()).tobytes()


def unpack(data: bytes, streams: int, bits: Sequence[int], frames: int) -> np.ndarray:
    """Bytes as written by `pack` to codes (streams, codebooks, frames) int64."""
    flat = np.unpackbits(np.frombuffer(data, np.uint8), count=frames * streams * sum(bits))
    columns = flat.reshape(frames, streams, sum(bits)).astype(np.int64)
    codes = np.zeros((streams, len(bits), frames), np.int64)
    start = 0
    for book, width in enumerate(bits):
        weights = 1 << np.arange(width - 1, -1, -1)
        codes[:, book] = (columns[:, :, start : start + width] @ weights).T
        start += width
    return codes


def packed_size(frames: int, streams: int, bits: Sequence[int]) -> int:
    """Bytes that `pack` needs."""
    return -(-frames * streams * sum(bits) // 8)
