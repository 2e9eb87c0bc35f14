"""Attention within a window of frames, with keys and values carried from chunk to chunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State

QUERIES_AT_ONCE = 128
"""Bounds the memory of the scores, which is this many frames (or the context, if longer) times the window."""


class WindowedAttention(nn.Module):
    """Multi-head self-attention, each frame over `context` frames that end with it and `lookahead` after: (batch, T, dim) -> the same.

    Positions are rotary angles (Su et al., "RoFormer", arXiv 2104.09864), so only distances within the window count, and a stream may run
    as long as it likes. The state holds the keys and values that later frames still see, `context` - 1 and what waits for look-ahead, hence
    chunks of any size give what the whole gives. `query_norm` > 0 normalises queries and keys (Dehghani et al. 2023), with that epsilon.
    """

    def __init__(self, dim: int, heads: int, context: int, lookahead: int = 0, query_norm: float = 0.0, period: float = 10_000.0) -> None:
        super().__init__()
        if dim % (2 * heads) or context < 1 or lookahead < 0:
            raise ValueError(f"{heads} heads of an even share of {dim} channels over {context} and {lookahead} frames cannot be")
        self.heads, self.context, self.lookahead, self.period = heads, context, lookahead, period
        self.project_in = nn.Linear(dim, 3 * dim, bias=False)
        self.project_out = nn.Linear(dim, dim, bias=False)
        self.query_norm = nn.RMSNorm(dim // heads, eps=query_norm) if query_norm else nn.Identity()
        self.key_norm = nn.RMSNorm(dim // heads, eps=query_norm) if query_norm else nn.Identity()

    def initial_state(self, batch: int, like: Tensor) -> State:
        none = like.new_zeros(batch, self.heads, 0, self.project_out.in_features // self.heads)
        return none, none, none, 0

    def step(self, x: Tensor, state: State, final: bool) -> tuple[Tensor, State]:
        """The frames that are ready, which are `lookahead` behind those given until the final ones."""
        waiting, keys, values, count = state
        batch, given, dim = x.shape
        queries, new_keys, new_values = self.project_in(x).view(batch, given, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        cosines, sines = _angles(count, given, queries.shape[-1] // 2, self.period, x)
        queries = torch.cat([waiting, _rotated(self.query_norm(queries), cosines, sines)], dim=2)
        keys = torch.cat([keys, _rotated(self.key_norm(new_keys), cosines, sines)], dim=2)
        values = torch.cat([values, new_values], dim=2)
        ready = queries.shape[2] if final else max(0, queries.shape[2] - self.lookahead)
        # The place of the first query's own key among the keys.
        first = keys.shape[2] - queries.shape[2]
        y = self.project_out(self._attend(queries[:, :, :ready], keys, values, first).transpose(1, 2).reshape(batch, ready, dim))
        seen = max(0, first + ready - self.context + 1)
        return y, (queries[:, :, ready:], keys[:, :, seen:], values[:, :, seen:], count + given)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, first: int) -> Tensor:
        """Of queries (batch, heads, n, head_dim), the first of which stands at key number `first`; some at once, over the keys they see."""
        ready, at_once = queries.shape[2], max(QUERIES_AT_ONCE, self.context)
        found = [queries[:, :, :0]]
        for start in range(0, ready, at_once):
            stop = min(ready, start + at_once)
            low, high = max(0, first + start - self.context + 1), min(keys.shape[2], first + stop + self.lookahead)
            distances = torch.arange(low, high, device=keys.device) - torch.arange(first + start, first + stop, device=keys.device)[:, None]
            seen = (distances > -self.context) & (distances <= self.lookahead)
            some = queries[:, :, start:stop], keys[:, :, low:high], values[:, :, low:high]
            found.append(nn.functional.scaled_dot_product_attention(*some, attn_mask=seen))
        return torch.cat(found, dim=2)


def _angles(start: int, count: int, pairs: int, period: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (count, pairs) of the angles of frames from `start` on.

    In double precision on the CPU: the angle of a frame hours into a stream has no digits to spare, and not every device has doubles.
    """
    frequencies = period ** (-torch.arange(pairs, dtype=torch.float64, device="cpu") / pairs)
    angles = torch.arange(start, start + count, dtype=torch.float64, device="cpu")[:, None] * frequencies
    return angles.cos().to(like.dtype).to(like.device), angles.sin().to(like.dtype).to(like.device)


def _rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Each pair of a channel of the first half and its counterpart of the second, turned by its angle."""
    real, imaginary = x.chunk(2, dim=-1)
    return torch.cat([real * cosines - imaginary * sines, real * sines + imaginary * cosines], dim=-1)
