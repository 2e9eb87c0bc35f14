"""A signal through a layer chunk by chunk."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.nn.streaming import Streaming


@torch.no_grad()
def chunked(layer: Streaming, x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Chunks of those sizes, then what is left as the last."""
    state, found, start = layer.initial_state(x.shape[0], x), [], 0
    for size in sizes:
        y, state = layer.step(x[..., start : start + size], state)
        found.append(y)
        start += size
    y, _ = layer.step(x[..., start:], state, final=True)
    return torch.cat([*found, y], dim=-1)
