"""K-means: a codebook fitted once to given latents, then frozen."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.quantizers.books import Book, VectorQuantizer, nearest_of_many
from wavelex.quantizers.codebook import tally

SEEDED = 2048
"""Up to so many centres are begun far from each other (k-means++); more begin on random rows, which then cover the rows well enough."""


class FixedBook(Book):
    """Centres that `fit` gave: by default those of k-means. Only the encoder learns from it, by `commitment`."""

    table: Tensor
    fitted: Tensor

    def __init__(self, size: int, dim: int, commitment: float = 1.0, iterations: int = 50) -> None:
        super().__init__(size, dim, codebook_weight=0.0, commitment=commitment)
        self.iterations = iterations
        self.register_buffer("table", torch.randn(size, dim))
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def vectors(self) -> Tensor:
        return self.table

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, rows: Tensor) -> None:
        self.table.copy_(kmeans(rows, self.size, self.iterations))
        self.fitted.fill_(True)


class KMeansVQ(VectorQuantizer):
    """A codebook, or several residual ones, placed by `start` on latents (batch, dim, frames) and never moved again.

    As for discrete units of self-supervised features (Lakhotia et al., "Generative spoken language modeling", arXiv 2102.01192).
    Gradients pass straight through.
    """

    def __init__(self, dim: int, size: int = 500, codebooks: int = 1, commitment: float = 1.0) -> None:
        super().__init__(dim, [FixedBook(size, dim, commitment) for _ in range(codebooks)])


@torch.no_grad()
def kmeans(rows: Tensor, size: int, iterations: int = 50) -> Tensor:
    """Centres (size, dim) of rows (n, dim) by Lloyd's iterations, until none moves or so many are done.

    A centre that is left without rows is put on the row that is farthest from its own. With fewer rows than centres, the others lie
    about random rows, nearer to them than rows are to each other.
    """
    if len(rows) < size:
        extra = rows[torch.randint(len(rows), (size - len(rows),), device=rows.device)]
        return torch.cat([rows, extra + 0.1 * rows.std(0) * torch.randn_like(extra)])
    centres = _far_apart(rows, size) if size <= SEEDED else rows[torch.randperm(len(rows), device=rows.device)[:size]].clone()
    for _ in range(iterations):
        indices = nearest_of_many(rows, centres)
        counts, sums = tally(rows, indices, size)
        moved = sums / counts.clamp(min=1)[:, None]
        if empty := int((counts == 0).sum()):
            farthest = (rows - centres[indices]).square().sum(1).topk(empty).indices
            moved[counts == 0] = rows[farthest]
        still = torch.equal(moved, centres)
        centres = moved
        if still:
            break
    return centres


def _far_apart(rows: Tensor, size: int) -> Tensor:
    """Rows drawn one after another with chances as their squared distances to the nearest drawn (Arthur and Vassilvitskii, 2007)."""
    norms = rows.square().sum(1)
    picks = [int(torch.randint(len(rows), (), device=rows.device))]
    nearest = torch.full_like(norms, float("inf"))
    for _ in range(size - 1):
        last = rows[picks[-1]]
        nearest = torch.minimum(nearest, (norms - 2 * rows @ last + last.square().sum()).clamp(min=0))
        total = nearest.cumsum(0)
        # By the cumulative sum, as torch.multinomial takes no more than 2^24 rows.
        drawn = torch.searchsorted(total, torch.rand((), device=rows.device) * total[-1])
        picks.append(min(int(drawn), len(rows) - 1))
    return rows[picks].clone()
