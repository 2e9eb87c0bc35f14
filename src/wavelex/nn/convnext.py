"""ConvNeXt block over frames, as Vocos uses it, with streaming state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming, Window


class ConvNeXtBlock(Streaming):
    """Depthwise convolution, layer norm, two-layer perceptron, scaled residual: (batch, dim, T) -> same.

    Source: Siuzdak, "Vocos" (arXiv 2306.00814), section 3.2; Liu et al. 2022. Causal unless `lookahead` > 0. Both ends of a signal are
    followed by zeros at the input of the convolution. With `rows` the norm is adaptive, and `step` is told the row.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        kernel: int = 7,
        dilation: int = 1,
        lookahead: int = 0,
        scale: float = 0.1,
        bias: bool = False,
        rows: int = 0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.dilation, self.lookahead = dilation, lookahead
        self.window = Window((kernel - 1) * dilation + 1, lookahead=lookahead)
        self.depthwise = nn.Parameter(torch.randn(dim, 1, kernel) * kernel**-0.5)
        self.bias = nn.Parameter(torch.zeros(dim)) if bias else None
        self.norm = AdaptiveLayerNorm(dim, rows, eps) if rows else nn.LayerNorm(dim, eps)
        self.expand = nn.Linear(dim, hidden)
        self.contract = nn.Linear(hidden, dim)
        self.scale = nn.Parameter(torch.full((dim,), scale))

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.window.initial_buffer(batch, self.scale.shape[0], like=like)

    def step(self, x: Tensor, state: State, final: bool = False, row: Tensor | None = None) -> tuple[Tensor, State]:
        """See `Streaming`; `row` (batch,) is that of an adaptive norm."""
        ready_input, buffer, ready = self.window.advance(state, x, final)
        if not ready:
            return x[..., :0], buffer
        # The residual is the same buffer, delayed by the look-ahead.
        past = self.window.past
        residual = ready_input[..., past : past + ready]
        y = nn.functional.conv1d(ready_input, self.depthwise, self.bias, dilation=self.dilation, groups=x.shape[1])
        y = y.transpose(1, 2)
        y = self.norm(y) if row is None else self.norm(y, row)
        y = self.contract(nn.functional.gelu(self.expand(y)))
        return residual + (y * self.scale).transpose(1, 2), buffer


class AdaptiveLayerNorm(nn.Module):
    """Layer norm whose scale and shift are chosen from tables, a row for each condition: (batch, T, dim) and row (batch,) -> the same.

    Siuzdak, "Vocos" (arXiv 2306.00814), whose decoder for EnCodec's tokens has a row for each bit rate.
    """

    def __init__(self, dim: int, rows: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(rows, dim))
        self.bias = nn.Parameter(torch.zeros(rows, dim))

    def forward(self, x: Tensor, row: Tensor) -> Tensor:
        normed = nn.functional.layer_norm(x, x.shape[-1:], eps=self.eps)
        return normed * self.weight[row][:, None] + self.bias[row][:, None]


class Pointwise(Streaming):
    """A linear map of every frame: (batch, in_dim, T) -> (batch, out_dim, T), optionally layer-normed first."""

    def __init__(self, in_dim: int, out_dim: int, norm: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim, eps) if norm else nn.Identity()
        self.linear = nn.Linear(in_dim, out_dim)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return ()

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return self.linear(self.norm(x.transpose(1, 2))).transpose(1, 2), state
