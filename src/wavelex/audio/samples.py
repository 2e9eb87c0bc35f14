"""Float32 samples: what they must be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavelex.audio.writing import write_audio
from wavelex.errors import WavelexError

MOST_CHANNELS = 64
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Hz; a file that says another rate is damaged, or is no recording."""
BLOCK_SECONDS = 10
"""Of long signals that are worked on at a time."""
LOUDEST = 8.0
"""Full scale is 1 and a clipped recording a little over it; what is louder is in other units."""


@dataclass(frozen=True, eq=False)
class Audio:
    """Samples (channels, T) float32 in [-1, 1] at `sample_rate` Hz. Equal where all of that is."""

    samples: np.ndarray
    sample_rate: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Audio):
            return NotImplemented
        return self.sample_rate == other.sample_rate and np.array_equal(self.samples, other.samples)

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        return len(self) / self.sample_rate

    def mono(self) -> np.ndarray:
        """The mean of the channels, (T,)."""
        mixed: np.ndarray = self.samples.mean(axis=0, dtype=np.float32)
        return mixed

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write as 16-bit audio in the format of the name's ending."""
        write_audio(path, self)


def check_finite(samples: np.ndarray, name: str) -> None:
    """Raises WavelexError if any sample is NaN or infinite."""
    if not np.isfinite(samples).all():
        raise WavelexError(f"{name}: holds samples that are NaN or infinite; repair or re-export the recording")


def as_samples(array: Any, most_channels: int = MOST_CHANNELS) -> np.ndarray:
    """(T,) or (channels, T) of floats or of int16, array or tensor on any device, as float32 (channels, T).

    Raises WavelexError for other shapes and types and for values that are not finite or far beyond full scale.
    """
    try:
        array = array.detach().cpu().float().numpy() if _is_float_tensor(array) else np.asarray(array)
    except ValueError as error:
        raise WavelexError("samples of rows that differ in length; give (T,) or (channels, T)") from error
    if array.ndim not in (1, 2):
        raise WavelexError(f"samples of shape {array.shape} are not (T,) or (channels, T)")
    if array.dtype == np.int16:
        array = array.astype(np.float32) / 32768
    elif not np.issubdtype(array.dtype, np.floating):
        raise WavelexError(f"samples of type {array.dtype}; give float in [-1, 1] or int16")
    samples: np.ndarray = np.atleast_2d(array.astype(np.float32))
    if samples.shape[0] == 0:
        raise WavelexError("samples have no channels; give (T,) or (channels, T)")
    if samples.shape[0] > most_channels:
        raise WavelexError(f"samples of shape {samples.shape} would be {samples.shape[0]} channels; give (channels, T), not (T, channels)")
    check_finite(samples, "samples")
    if (loudest := peak(samples)) > LOUDEST:
        raise WavelexError(f"samples up to {loudest:g}: give floats in [-1, 1] or int16")
    return samples


def peak(samples: np.ndarray) -> float:
    """The largest magnitude."""
    return float(np.abs(samples).max(initial=0.0))


def _is_float_tensor(array: Any) -> bool:
    # Told by what it can do, since this module does without torch.
    return hasattr(array, "detach") and bool(array.is_floating_point())
