"""Product quantization: the channels are split and each share has a codebook of its own, of unit vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import Book, VectorQuantizer


class UnitBook(Book):
    """Learned vectors of length one."""

    def __init__(self, size: int, dim: int, codebook_weight: float = 1.0, commitment: float = 0.25) -> None:
        super().__init__(size, dim, codebook_weight, commitment)
        self.weight = nn.Parameter(nn.functional.normalize(torch.randn(size, dim), dim=1))

    @property
    def vectors(self) -> Tensor:
        return nn.functional.normalize(self.weight, dim=1)


class ProductVQ(VectorQuantizer):
    """Shares of `dim` / `codebooks` channels, each scaled to length one and coded by the unit vector of the largest cosine.

    Ma et al., "UniTok" (arXiv 2502.20321), multi-codebook quantization; published as 8 x 4096 codes of 8 channels. The
    attention before and after is the encoder's and decoder's affair here, so that latents are sums of what codes add. No share says
    anything of another: a prefix of the codebooks leaves the other channels zero, and is good for something where that was trained.
    The gradient passes straight through, then through the scaling.
    """

    def __init__(self, dim: int = 64, codebooks: int = 8, size: int = 4096, codebook_weight: float = 1.0, commitment: float = 0.25) -> None:
        if dim % codebooks:
            raise ValueError(f"{dim} channels are not shared evenly by {codebooks} codebooks")
        share = dim // codebooks
        books = [UnitBook(size, share, codebook_weight, commitment) for _ in range(codebooks)]
        super().__init__(dim, books, groups=codebooks)

    def entering(self, latents: Tensor) -> Tensor:
        shares = super().entering(latents).chunk(len(self.layers), dim=1)
        return torch.cat([nn.functional.normalize(share, dim=1) for share in shares], dim=1)
