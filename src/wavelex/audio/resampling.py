"""Samples at another rate."""

from __future__ import annotations

import numpy as np
import soxr

RESAMPLED_AT_ONCE = 1 << 17
"""Samples a channel, before or after, whichever is more: what the resampler takes memory for."""


class Resampler:
    """Streaming resampling of (channels, T) blocks by soxr; passes blocks through when the rates are equal."""

    def __init__(self, from_rate: int, to_rate: int, channels: int) -> None:
        self._stream = None if from_rate == to_rate else soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")
        self._piece = max(1, RESAMPLED_AT_ONCE * from_rate // max(from_rate, to_rate))

    def push(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """A block in, what is ready out; `last` empties the filter."""
        if self._stream is None:
            return samples
        pieces = []
        for start in range(0, max(1, samples.shape[1]), self._piece):
            piece = np.ascontiguousarray(samples[:, start : start + self._piece].T)
            ends = last and start + self._piece >= samples.shape[1]
            pieces.append(self._stream.resample_chunk(piece, last=ends))
        return np.ascontiguousarray((pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).T)


def resample(samples: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """The whole of (channels, T) at another rate."""
    return Resampler(from_rate, to_rate, samples.shape[0]).push(samples, last=True)
