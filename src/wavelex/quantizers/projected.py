"""A very large frozen codebook of features, seen through a trained projector (VQGAN-LC)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import VectorQuantizer, rows_of
from wavelex.quantizers.kmeans import kmeans
from wavelex.quantizers.side_by_side import mapped
from wavelex.quantizers.sim import LinearBook


class FeatureBook(LinearBook):
    """A `LinearBook` whose base is the k-means centres of features that it is started on."""

    fitted: Tensor

    def __init__(self, size: int, dim: int, base_dim: int, codebook_weight: float, commitment: float, iterations: int) -> None:
        super().__init__(size, dim, base_dim, codebook_weight=codebook_weight, commitment=commitment)
        self.projector: nn.Linear
        nn.init.normal_(self.projector.weight, std=dim**-0.5)
        self.iterations = iterations
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, rows: Tensor) -> None:
        self.base.copy_(kmeans(rows, self.size, self.iterations))
        self.fitted.fill_(True)


class ProjectedVQ(VectorQuantizer):
    """One codebook of `size` frozen features of `feature_dim`, projected to `code_dim`, where latents are mapped to be compared and back.

    Zhu et al., "Scaling the codebook size of VQGAN to 100,000 with a utilization rate of 99%" (arXiv 2406.11837): the base
    is k-means of features of much data, and only the projector learns. `start` takes such features, `feature_dim` wide, or the latents
    themselves; then all three maps begin as the projection on the latents' principal components. The gradient passes straight through.
    """

    def __init__(
        self,
        dim: int,
        size: int = 100_000,
        code_dim: int = 8,
        feature_dim: int | None = None,
        codebook_weight: float = 0.33,
        commitment: float = 1.0,
        iterations: int = 10,
    ) -> None:
        book = FeatureBook(size, code_dim, feature_dim or dim, codebook_weight, commitment, iterations)
        super().__init__(code_dim, [book])
        self.into, self.out_of = nn.Conv1d(dim, code_dim, 1), nn.Conv1d(code_dim, dim, 1)

    def entering(self, latents: Tensor) -> Tensor:
        return mapped(self.into, super().entering(latents))

    def leaving(self, total: Tensor, there: Tensor) -> Tensor:
        return mapped(self.out_of, total) * there[:, None]

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        rows = rows_of(latents)
        book = self.books[0]
        mean = rows.mean(0)
        book.start(rows - mean)
        if rows.shape[1] == self.out_of.out_channels and isinstance(book, FeatureBook):
            components = torch.linalg.eigh(torch.cov(rows.T)).eigenvectors[:, -self.dim :].T
            self.into.load_state_dict({"weight": components[:, :, None], "bias": -components @ mean})
            book.projector.load_state_dict({"weight": components})
            self.out_of.load_state_dict({"weight": components.T[:, :, None], "bias": mean})
