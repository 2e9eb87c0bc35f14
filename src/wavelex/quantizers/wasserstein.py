"""Wasserstein regularisation: codebook and latents are drawn together as distributions, not vector by vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import Book, VectorQuantizer
from wavelex.quantizers.kmeans import kmeans

MOST_ROWS = 2048
"""Latents of a batch that the transport is computed for, evenly picked."""


class TransportBook(Book):
    """Learned vectors with learned chances; loss `transport` * W + `uniform` * KL(uniform, chances)."""

    fitted: Tensor

    def __init__(self, size: int, dim: int, transport: float, uniform: float, blur: float, iterations: int) -> None:
        super().__init__(size, dim)
        self.transport, self.uniform, self.blur, self.iterations = transport, uniform, blur, iterations
        self.weight = nn.Parameter(torch.randn(size, dim))
        self.logits = nn.Parameter(torch.zeros(size))
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def vectors(self) -> Tensor:
        return self.weight

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, rows: Tensor) -> None:
        self.weight.copy_(kmeans(rows, self.size))
        self.fitted.fill_(True)

    def loss(self, rows: Tensor, chosen: Tensor) -> Tensor:
        some = rows[:: -(-len(rows) // MOST_ROWS) or 1]
        distance = transport_cost(some, self.weight, self.logits.log_softmax(0), self.blur, self.iterations)
        # KL of the uniform from the chances: without it they gather on a few vectors.
        uneven = -math.log(self.size) - self.logits.log_softmax(0).mean()
        return self.transport * distance + self.uniform * uneven


class WassersteinVQ(VectorQuantizer):
    """A codebook of `size` vectors, trained by the optimal transport between it and the latents of a batch.

    Vuong et al., "Vector quantized Wasserstein auto-encoder" (arXiv 2302.05917): in place of the two distances of chosen pairs
    stands the transport from the latents of the batch to the vectors with learned chances. The nearest vector is taken, the gradient
    passes straight through. The exact transport of the paper is replaced by Sinkhorn's with a `blur` in shares of the mean squared
    distance (Cuturi, arXiv 1306.0895), which takes milliseconds where the exact one takes seconds.
    """

    def __init__(
        self,
        dim: int,
        size: int = 512,
        transport: float = 1e-3,
        uniform: float = 1.0,
        blur: float = 0.05,
        iterations: int = 50,
    ) -> None:
        super().__init__(dim, [TransportBook(size, dim, transport, uniform, blur, iterations)])


def transport_cost(rows: Tensor, vectors: Tensor, log_chances: Tensor, blur: float, iterations: int) -> Tensor:
    """Mean squared distance by which rows (n, dim), equally likely, are carried to vectors (size, dim) of given log chances (size,).

    Sinkhorn's iterations on logarithms, which do not underflow. Gradients are those at the found plan: to rows and vectors through the
    distances, to the chances through the potential of the vectors.
    """
    if not len(rows):
        return rows.sum()
    squares = rows.square().sum(1)[:, None] + vectors.square().sum(1) - 2 * rows @ vectors.T
    with torch.no_grad():
        scale = blur * squares.mean().clamp(min=1e-12)
        cost = squares / scale
        log_rows = -math.log(len(rows))
        right = torch.zeros_like(log_chances)
        for _ in range(iterations):
            left = -((right + log_chances) - cost).logsumexp(1)
            right = -((left + log_rows)[:, None] - cost).logsumexp(0)
        plan = (left[:, None] + right + log_rows + log_chances - cost).exp()
    carried = (plan * squares).sum()
    chances = log_chances.exp()
    return carried + (scale * right * (chances - chances.detach())).sum()
