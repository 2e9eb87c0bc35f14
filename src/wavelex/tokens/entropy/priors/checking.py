"""Whether tensors can be those of a prior: their names, types and shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MOST_CODEBOOKS = 255


def check_table(tensors: Mapping[str, np.ndarray], name: str, dimensions: int) -> tuple[int, ...]:
    """The shape (codebooks, size, ...) of the tensor that tells both. Raises ValueError unless there is one that can be."""
    if name not in tensors:
        raise ValueError(f"it has no {name}")
    shape = tensors[name].shape
    if len(shape) != dimensions or not 1 <= shape[0] <= MOST_CODEBOOKS or shape[1] < 2 or 0 in shape:
        raise ValueError(f"its {name} have the shape {shape}")
    return shape


def check_tensors(tensors: Mapping[str, np.ndarray], expected: Mapping[str, tuple[type[np.integer], tuple[int, ...]]]) -> None:
    """Raises ValueError unless they are those of the given names, types and shapes."""
    if set(tensors) != set(expected):
        raise ValueError(f"it has the tensors {', '.join(sorted(tensors))[:200] or 'none'}; expected {', '.join(sorted(expected))}")
    for name, (kind, shape) in expected.items():
        found = tensors[name]
        if found.dtype != kind or found.shape != shape:
            raise ValueError(f"its {name} are {found.dtype} {found.shape}, not {np.dtype(kind)} {shape}")
