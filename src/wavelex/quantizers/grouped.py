"""Grouped residual quantization: the channels are split, and each share is quantized by residual codebooks of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import Book, VectorQuantizer


class LearnedBook(Book):
    """Vectors learned by gradient, drawn from near zero."""

    def __init__(self, size: int, dim: int, codebook_weight: float = 1.0, commitment: float = 0.25) -> None:
        super().__init__(size, dim, codebook_weight, commitment)
        self.weight = nn.Parameter(torch.empty(size, dim).uniform_(-1 / size, 1 / size))

    @property
    def vectors(self) -> Tensor:
        return self.weight


class GroupedVQ(VectorQuantizer):
    """`groups` shares of the channels, each coded by `layers` residual codebooks of `size` vectors; published as 2 x 2 x 1024.

    Yang et al., "HiFi-Codec" (arXiv 2305.02765), section 3.2. Codes are ordered layer after layer, within a layer group after group
    (g0l0 g1l0 g0l1 g1l1). A prefix decodes; where it ends within a layer, the later groups are coarser, or silent in the first. The
    gradient passes straight through, once for the sum, and the commitment of every layer reaches the encoder; the published code loses
    that of all layers but the first, as what they code is what a straight-through sum has left.
    """

    def __init__(
        self,
        dim: int = 512,
        groups: int = 2,
        layers: int = 2,
        size: int = 1024,
        codebook_weight: float = 1.0,
        commitment: float = 0.25,
    ) -> None:
        if dim % groups:
            raise ValueError(f"{dim} channels are not shared evenly by {groups} groups")
        books = [LearnedBook(size, dim // groups, codebook_weight, commitment) for _ in range(groups * layers)]
        super().__init__(dim, books, groups=groups)
