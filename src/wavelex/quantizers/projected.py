"""A very large frozen codebook of features, seen through a trained projector (VQGAN-LC)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import VectorQuantizer
from wavelex.quantizers.kmeans import kmeans
from wavelex.quantizers.side_by_side import mapped
from wavelex.quantizers.sim import LinearBook


class FeatureBook(LinearBook):
    """A `LinearBook` whose base are the k-means centres of features that it is started on."""

    fitted: Tensor

    def __init__(self, size: int, dim: int, base_dim: int, codebook_weight: float, commitment: float, iterations: int) -> None:
        super().__init__(size, dim, base_dim, codebook_weight=codebook_weight, commitment=commitment)
        nn.init.normal_(self.projector.weight, std=dim**-0.5)  # type: ignore[arg-type]
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

    Zhu et al., "Scaling the codebook size of VQGAN to 100,000 with a utilization rate of 99%" (arXiv 2406.11837), section 3.2: the base
    is k-means of features of many data, only the projector learns. Features are those that `fit` is given; `start` takes the latents
    themselves, in which case `feature_dim` must be `dim`, its default. The gradient passes straight through.
    """

    def __init__(
        self,
        dim: int,
        size: int = 100_000,
        code_dim: int = 8,
        feature_dim: int | None = None,
        codebook_weight: float = 1.0,
        commitment: float = 0.33,
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
        """Place the base on latents (batch, dim, frames), or on features (batch, feature_dim, frames) of other data."""
        self.books[0].start(latents.transpose(1, 2).reshape(-1, latents.shape[1]))
