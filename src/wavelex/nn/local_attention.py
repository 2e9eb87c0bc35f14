"""Attention within windows that do not overlap."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming


class LocalAttention(Streaming):
    """Multi-head attention in which a step sees those of its own window and no others: (batch, dim, T) -> the same.

    Layer norm first, rotary positions counted from the start of the window (Su et al., arXiv 2104.09864), the input added to the result;
    no biases. A window is given out when it is full; the last of a signal may hold fewer steps.
    Siuzdak et al., "SNAC" (arXiv 2410.14411), section 2.2.
    """

    def __init__(self, dim: int, window: int, head_dim: int = 64) -> None:
        super().__init__()
        if dim % head_dim or head_dim % 2:
            raise ValueError(f"{dim} channels cannot be shared out to heads of {head_dim}")
        self.window, self.head_dim = window, head_dim
        self.norm = nn.LayerNorm(dim)
        self.queries_keys_values = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.lookahead = window - 1

    def initial_state(self, batch: int, like: Tensor) -> State:
        return like.new_zeros(batch, self.norm.normalized_shape[0], 0)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        held = torch.cat([state, x], dim=-1)
        full = held.shape[-1] // self.window * self.window
        pieces = [held[..., :full].reshape(*held.shape[:2], -1, self.window)] if full else []
        if final and held.shape[-1] > full:
            pieces.append(held[..., None, full:])
            full = held.shape[-1]
        found = [self._attend(piece) for piece in pieces]
        return torch.cat([*found, held[..., :0]], dim=-1), held[..., full:]

    def _attend(self, x: Tensor) -> Tensor:
        """(batch, dim, windows, steps) to (batch, dim, windows * steps)."""
        normed = self.norm(x.permute(0, 2, 3, 1))
        heads = self.queries_keys_values(normed).reshape(*normed.shape[:3], 3, -1, self.head_dim).permute(3, 0, 1, 4, 2, 5)
        queries, keys, values = heads.unbind(0)
        angles = self._angles(x)
        found = nn.functional.scaled_dot_product_attention(_turned(queries, angles), _turned(keys, angles), values)
        added: Tensor = self.out(found.transpose(2, 3).flatten(3)).permute(0, 3, 1, 2)
        return (x + added).flatten(2)

    def _angles(self, x: Tensor) -> Tensor:
        """By which positions turn each pair of channels: (steps, head_dim)."""
        rates = 10_000 ** (-torch.arange(0, self.head_dim, 2, device=x.device, dtype=torch.float32) / self.head_dim)
        return torch.outer(torch.arange(x.shape[-1], device=x.device, dtype=torch.float32), rates).repeat(1, 2)


def _turned(x: Tensor, angles: Tensor) -> Tensor:
    """Channels of x (..., steps, head_dim) turned in pairs; a pair lies half of the channels apart."""
    left, right = x.chunk(2, dim=-1)
    return x * angles.cos().to(x.dtype) + torch.cat([-right, left], dim=-1) * angles.sin().to(x.dtype)
