"""Factorised quantization: lookup by direction in a few dimensions, codebooks learned by gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.codebook import nearest
from wavelex.quantizers.gradients import straight_through

COMMITMENT = 0.25
"""What the commitment of latents to codes counts in the loss, that of codes to latents being 1."""


class Looked(NamedTuple):
    """What one codebook makes of its input."""

    latents: Tensor
    """(batch, dim, frames), with the gradient of the projections to the input."""
    codes: Tensor
    """(batch, frames)."""
    commitment: Tensor
    """Mean squared distance of the projected input from its codes, for every item and frame (batch, frames); no gradient to the codes."""
    codebook: Tensor
    """The same with no gradient to the input."""


class ProjectedCodebook(nn.Module):
    """`size` vectors of `code_dim` numbers between a projection down and one up: latents (batch, dim, frames) to codes and back.

    The code is the one whose direction is nearest that of the projected latents; what it stands for is its vector as it is, length
    included (Yu et al., "ViT-VQGAN", arXiv 2110.04627, section 3.2).
    """

    def __init__(self, dim: int, size: int, code_dim: int) -> None:
        super().__init__()
        self.size = size
        self.down, self.up = nn.Linear(dim, code_dim), nn.Linear(code_dim, dim)
        self.vectors = nn.Parameter(torch.randn(size, code_dim))

    def forward(self, latents: Tensor) -> Looked:
        """See `Looked`."""
        projected = self.down(latents.transpose(1, 2))
        codes = self.lookup(projected)
        vectors = nn.functional.embedding(codes, self.vectors)
        passed = self.up(straight_through(projected, vectors)).transpose(1, 2)
        commitment = (projected - vectors.detach()).square().mean(2)
        return Looked(passed, codes, commitment, (vectors - projected.detach()).square().mean(2))

    @torch.no_grad()
    def lookup(self, projected: Tensor) -> Tensor:
        """The nearest by direction: (batch, frames, code_dim) to (batch, frames)."""
        rows = nn.functional.normalize(projected.flatten(0, 1))
        return nearest(rows, nn.functional.normalize(self.vectors)).view(projected.shape[:2])

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, frames) to latents (batch, dim, frames); -1 gives zeros."""
        latents: Tensor = self.up(nn.functional.embedding(codes.clamp(min=0), self.vectors)) * (codes >= 0)[..., None]
        return latents.transpose(1, 2)


class FactorisedVQ(Quantizer):
    """Residual quantization by `codebooks` codebooks of `size` vectors, each between projections of its own; any prefix decodes.

    Kumar et al., "High-fidelity audio compression with improved RVQGAN" (arXiv 2306.06546), section 3.2; BigCodec (arXiv 2409.05377) has
    one codebook. Each code adds its vector, projected up, to the latents, so these are a sum of what codes stand for. Gradients pass every
    layer's projections and residuals as published: not the identity, as of `ResidualVQ`.

    The loss is the published sum over codebooks, already weighted: codes to latents once, latents to codes (`COMMITMENT`) a quarter.
    A codebook that an item does not use counts nothing for it. There is no search beyond the nearest direction: nearness in the
    space of the latents is not what the codes were learned by.
    """

    additive = True

    def __init__(self, dim: int, codebooks: int, size: int = 1024, code_dim: int = 8, commitment: float = COMMITMENT) -> None:
        super().__init__()
        self.dim, self.commitment = dim, commitment
        self.layers = nn.ModuleList(ProjectedCodebook(dim, size, code_dim) for _ in range(codebooks))

    @property
    def codebooks(self) -> list[ProjectedCodebook]:
        return [layer for layer in self.layers if isinstance(layer, ProjectedCodebook)]

    @property
    def codebook_sizes(self) -> list[int]:
        return [book.size for book in self.codebooks]

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        """Quantize with `num_codebooks` codebooks: one number, or one an item (batch,) for quantizer dropout."""
        limits = self.counts(num_codebooks, latents)
        residual = latents.to(self.codebooks[0].vectors.dtype)
        quantized = torch.zeros_like(residual)
        codes: list[Tensor] = []
        loss = residual.new_zeros(())
        with torch.autocast(latents.device.type, enabled=False):
            for index, book in enumerate(self.codebooks[: int(limits.max())]):
                used = limits > index
                found = book(residual)
                residual = residual - found.latents
                quantized = quantized + found.latents * used[:, None, None]
                loss = loss + ((found.codebook + self.commitment * found.commitment) * used[:, None]).mean()
                codes.append(torch.where(used[:, None], found.codes, -1))
        return Quantized(quantized, torch.stack(codes, dim=1), loss)

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """Latents (batch, dim, frames) to codes (batch, num_codebooks, frames), coarse first, whatever the `beams`."""
        return self.forward(latents, num_codebooks).codes

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all codebooks, to latents (batch, dim, frames); -1 adds nothing."""
        self.counts(codes.shape[1], codes)
        latents = [book.decode(row) for book, row in zip(self.codebooks, codes.unbind(1), strict=False)]
        return torch.stack(latents).sum(0)
