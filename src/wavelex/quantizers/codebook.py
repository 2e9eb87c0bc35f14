"""One Euclidean codebook learned by exponential moving averages, with k-means start and revival that work."""

from __future__ import annotations

import torch
from torch import Tensor, nn

AVERAGES = ("joint", "published")
SMOOTHING = 1e-5
"""What the published update adds to every count."""


class Codebook(nn.Module):
    """`size` vectors of `dim`, each the running mean of the inputs it won (van den Oord 2017, appendix A.1).

    Only the running sums and counts are kept and the vectors are their quotient, so initialisation and revival
    cannot fall out of step with the averages (the published update forgets both: centroids are scaled down by
    the first step after k-means, and revived vectors are overwritten in the same step).

    `averages="published"` is that update, to be compared with: k-means places the vectors but not their sums, so that the first step
    divides sums of one vector by counts of many, and nothing is revived. Raises ValueError for other names than those of AVERAGES.
    """

    total: Tensor
    usage: Tensor
    started: Tensor
    placed: Tensor

    def __init__(self, size: int, dim: int, decay: float = 0.99, dead_below: float = 0.03, averages: str = "joint") -> None:
        super().__init__()
        if averages not in AVERAGES:
            raise ValueError(f"averages {averages!r}; choose from {', '.join(AVERAGES)}")
        self.size, self.decay, self.dead_below, self.averages = size, decay, dead_below, averages
        self.register_buffer("usage", torch.ones(size))
        self.register_buffer("total", torch.randn(size, dim))
        self.register_buffer("started", torch.tensor(False))
        if averages == "published":
            # By k-means, and not yet by inputs: a layer may wait some steps for a clip that uses it.
            self.register_buffer("placed", torch.tensor(False))
        # All that is learned of the inputs passes through these two: inputs that lie elsewhere are added by replacing them.
        self.tally, self.draw = tally, draw

    @property
    def vectors(self) -> Tensor:
        """The codebook, (size, dim)."""
        return self.total / self._weights[:, None]

    @property
    def _weights(self) -> Tensor:
        """What the sums are divided by, (size,)."""
        if self.averages == "joint":
            return self.usage
        every = self.usage.sum()
        return (self.usage + SMOOTHING) / (every + self.size * SMOOTHING) * every

    def nearest(self, x: Tensor) -> Tensor:
        """Index of the nearest vector for each of x (n, dim) -> (n,)."""
        return nearest(x, self.vectors)

    def lookup(self, indices: Tensor) -> Tensor:
        """Vectors of the indices, any shape (...) -> (..., dim)."""
        return nn.functional.embedding(indices, self.vectors)

    @torch.no_grad()
    def start(self, x: Tensor, iterations: int = 20) -> None:
        """Place the vectors by k-means on x (n, dim); the averages begin as if those inputs had been seen."""
        vectors = self.draw(x, self.size)
        for _ in range(iterations):
            counts, sums = self.tally(x, nearest(x, vectors), self.size)
            empty = counts == 0
            vectors = sums / counts.clamp(min=1)[:, None]
            vectors[empty] = self.draw(x, int(empty.sum()))
        counts, _ = self.tally(x, nearest(x, vectors), self.size)
        # A centroid that ended without inputs still weighs one, so that its quotient is defined.
        self.usage.copy_(counts.clamp(min=1))
        self.total.copy_(vectors * self._weights[:, None])
        self.started.fill_(True)
        if self.averages == "published":
            self.placed.fill_(True)

    @torch.no_grad()
    def learn(self, x: Tensor, indices: Tensor) -> None:
        """One moving-average step on inputs x (n, dim) that won `indices` (n,), then revival of dead vectors."""
        if not len(x):
            return
        if self.averages == "published" and self.placed:
            self.total.copy_(self.vectors)
            self.placed.fill_(False)
        counts, sums = self.tally(x, indices, self.size)
        self.usage.lerp_(counts, 1 - self.decay)
        self.total.lerp_(sums, 1 - self.decay)
        if self.averages == "joint":
            self._revive(x)

    def _revive(self, x: Tensor) -> None:
        """Move vectors that hardly any input wins to some of the inputs (n, dim)."""
        mean = self.usage.mean()
        dead = self.usage < self.dead_below * mean
        revived = int(dead.sum())
        if revived:
            self.usage[dead] = mean
            self.total[dead] = self.draw(x, revived) * mean


def tally(x: Tensor, indices: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """How many of the inputs x (n, dim) won each of `size` vectors, (size,), and their sums, (size, dim)."""
    counts = torch.bincount(indices, minlength=size).to(x.dtype)
    return counts, torch.zeros(size, x.shape[1], device=x.device, dtype=x.dtype).index_add_(0, indices, x)


def draw(x: Tensor, count: int) -> Tensor:
    """Random rows of the inputs x (n, dim), (count, dim)."""
    return x[torch.randint(len(x), (count,), device=x.device)]


def mean_of_rows(x: Tensor) -> Tensor:
    """Of inputs x (n, width), (width,); zeros of none."""
    return x.sum(0) / max(1, len(x))


def nearest(x: Tensor, vectors: Tensor) -> Tensor:
    """Index of the Euclidean-nearest row of `vectors` for each row of x."""
    scores = torch.addmm(vectors.square().sum(1), x, vectors.T, beta=1, alpha=-2)
    if scores.device.type == "cpu":
        # The same index ten times faster: numpy's search is vectorised.
        return torch.from_numpy(scores.detach().numpy().argmin(axis=1))
    return scores.argmin(dim=1)
