"""Discretisation after training: each dimension of a finished continuous autoencoder is cut into intervals of its own."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

import torch
from torch import Tensor

from wavelex.quantizers.gradients import straight_through
from wavelex.quantizers.side_by_side import Coded, SideBySide

SPACINGS = ("equal_mass", "uniform")
REACH = 5.0
"""Standard deviations beyond which nothing is told apart."""
GAUSS = NormalDist()


class GaussianBins(SideBySide):
    """`dim` codes a frame, one for each dimension: the interval of 2^`bits` in which it lies, about the mean and in standard deviations.

    Wang et al., "Bridging continuous and discrete tokens" (TokenBridge, arXiv 2503.16430). Mean and deviation come of
    `start`, on latents of the trained autoencoder, whose encoder may then rest. A code stands for the mean of a Gaussian in its interval.

    `equal_mass`: as in the paper, intervals that a Gaussian fills equally, so that codes are used alike, as a language model likes them.
    `uniform`: intervals of one width, the best for a Gaussian of this many; with entropy coding these cost fewer bits for the same error.
    The gradient passes straight through and there is no loss: nothing here is trained.
    """

    mean: Tensor
    deviation: Tensor
    fitted: Tensor
    edges: Tensor
    levels: Tensor

    def __init__(self, dim: int, bits: int = 6, spacing: str = "equal_mass") -> None:
        super().__init__(dim, dim, 1)
        if not 1 <= bits <= 12:
            raise ValueError(f"{bits} bits a number; give 1 to 12")
        if spacing not in SPACINGS:
            raise ValueError(f"spacing {spacing!r}; choose from {', '.join(SPACINGS)}")
        self.size = 2**bits
        edges = equal_mass_edges(self.size) if spacing == "equal_mass" else uniform_edges(self.size)
        self.register_buffer("edges", torch.tensor(edges[1:-1]), persistent=False)
        self.register_buffer("levels", torch.tensor(interval_means(edges)), persistent=False)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def codebook_sizes(self) -> list[int]:
        return [self.size] * self.dim

    def code(self, channels: Tensor) -> Coded:
        """See `SideBySide`."""
        normal = (channels.detach() - self.mean[:, None]) / self.deviation[:, None]
        codes = torch.bucketize(normal.contiguous(), self.edges)
        return Coded(codes, straight_through(channels[:, :, None], self.values(codes)))

    def values(self, codes: Tensor) -> Tensor:
        """See `SideBySide`."""
        return (self.levels[codes] * self.deviation[:, None] + self.mean[:, None])[:, :, None]

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Mean and standard deviation of each dimension of latents (batch, dim, frames)."""
        rows = latents.transpose(1, 2).flatten(0, 1)
        self.mean.copy_(rows.mean(0))
        self.deviation.copy_(rows.std(0).clamp(min=1e-6))
        self.fitted.fill_(True)


def equal_mass_edges(size: int) -> list[float]:
    """Quantiles of the Gaussian, the outermost at `REACH`."""
    return [-REACH, *(GAUSS.inv_cdf(i / size) for i in range(1, size)), REACH]


def uniform_edges(size: int) -> list[float]:
    """Of the width that leaves a Gaussian the least squared error, the outer intervals open, by golden-section search."""

    def of_width(width: float) -> list[float]:
        inner = [width * (i - size / 2) for i in range(1, size)]
        return [min(-REACH, inner[0] - width), *inner, max(REACH, inner[-1] + width)]

    low, high = 0.1 / size, 4.0 * REACH / size
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        near, far = high - ratio * (high - low), low + ratio * (high - low)
        if squared_error(of_width(near)) < squared_error(of_width(far)):
            high = far
        else:
            low = near
    return of_width((low + high) / 2)


def interval_means(edges: list[float]) -> list[float]:
    """Mean of a Gaussian in each interval between edges."""
    return [(GAUSS.pdf(a) - GAUSS.pdf(b)) / max(GAUSS.cdf(b) - GAUSS.cdf(a), 1e-300) for a, b in pairwise(edges)]


def squared_error(edges: list[float]) -> float:
    """Of a Gaussian for which the means of its intervals stand: its variance less that of the means."""
    shares = (GAUSS.cdf(b) - GAUSS.cdf(a) for a, b in pairwise(edges))
    return 1 - sum(share * mean**2 for share, mean in zip(shares, interval_means(edges), strict=True))
