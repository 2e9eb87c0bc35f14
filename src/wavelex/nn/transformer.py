"""Transformer layers over frames that stream: each sees a window of bounded length."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavelex.nn.attention import WindowedAttention
from wavelex.nn.streaming import State, Streaming


def _gelu_tanh(x: Tensor) -> Tensor:
    return nn.functional.gelu(x, approximate="tanh")


def _swiglu(x: Tensor) -> Tensor:
    """Shazeer, "GLU variants improve Transformer" (arXiv 2002.05202)."""
    value, gate = x.chunk(2, dim=-1)
    return value * nn.functional.silu(gate)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": nn.functional.gelu, "gelu_tanh": _gelu_tanh, "swiglu": _swiglu}


class TransformerLayer(Streaming):
    """Attention within a window, then a two-layer perceptron, each normalised before and added: (batch, dim, T) -> the same.

    A frame sees `context` frames that end with it and `lookahead` after it; layers in a row look ahead by the sum of theirs. `norm` is
    `layer` (LayerNorm) or `rms` (RMSNorm). A `scale` above 0 is what both branches are first multiplied by, learned for each channel
    (Touvron et al., arXiv 2103.17239). No biases.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        heads: int,
        context: int,
        lookahead: int = 0,
        activation: str = "gelu",
        norm: str = "layer",
        eps: float = 1e-5,
        scale: float = 0.0,
        query_norm: float = 0.0,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS or norm not in ("layer", "rms"):
            raise ValueError(f"activation {activation!r}, norm {norm!r}; choose from {', '.join(ACTIVATIONS)} and layer, rms")
        self.lookahead, self.activation = lookahead, activation
        self.attention = WindowedAttention(dim, heads, context, lookahead, query_norm)
        self.attention_norm, self.perceptron_norm = (nn.LayerNorm(dim, eps) if norm == "layer" else nn.RMSNorm(dim, eps) for _ in range(2))
        self.expand = nn.Linear(dim, hidden * (2 if activation == "swiglu" else 1), bias=False)
        self.contract = nn.Linear(hidden, dim, bias=False)
        self.attention_scale, self.perceptron_scale = (nn.Parameter(torch.full((dim,), scale)) if scale else None for _ in range(2))

    def initial_state(self, batch: int, like: Tensor) -> State:
        like = like.to(self.contract.weight.dtype)
        return like.new_zeros(batch, 0, self.contract.out_features), self.attention.initial_state(batch, like)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        waiting, carried = state
        frames = x.transpose(1, 2)
        attended, carried = self.attention.step(self.attention_norm(frames), carried, final)
        # The residual waits for the look-ahead of its frames.
        waiting = torch.cat([waiting, frames], dim=1)
        ready = attended.shape[1]
        y = waiting[:, :ready] + _scaled(attended, self.attention_scale)
        changed = self.contract(ACTIVATIONS[self.activation](self.expand(self.perceptron_norm(y))))
        return (y + _scaled(changed, self.perceptron_scale)).transpose(1, 2), (waiting[:, ready:], carried)


def _scaled(branch: Tensor, scale: Tensor | None) -> Tensor:
    return branch if scale is None else branch * scale
