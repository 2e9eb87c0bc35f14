"""Split residual quantization: a codebook of its own beside the residual ones, both reading the same latents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.residual import ResidualVQ


class SplitRVQ(Quantizer):
    """The first `semantic` of `codebooks` codebooks and the rest as two residual quantizers side by side over latents (batch, dim, frames).

    Défossez et al., "Moshi" (arXiv 2410.00037), section 3.3: each has linear maps of its own to `inner` channels and back, and what they
    give is added. The first is then free to carry what it is taught (a semantic teacher's features), since the others need not repair what
    it leaves. Straight through within each; the gradient of the linear maps is theirs. Any prefix of the codebooks decodes.
    """

    # The sum of what the codes add, but no approximation of the latents: what one codebook leaves is not what the next one sees.
    additive = False

    def __init__(self, dim: int, codebooks: int = 8, size: int = 2048, inner: int = 256, semantic: int = 1) -> None:
        super().__init__()
        if not 1 <= semantic < codebooks:
            raise ValueError(f"{semantic} semantic codebooks of {codebooks}; both parts need at least one")
        self.dim, self.semantic_books = dim, semantic
        self.semantic = MappedRVQ(dim, semantic, size, inner)
        self.acoustic = MappedRVQ(dim, codebooks - semantic, size, inner)

    @property
    def codebook_sizes(self) -> list[int]:
        return [*self.semantic.rvq.codebook_sizes, *self.acoustic.rvq.codebook_sizes]

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        """See `Quantizer`; the loss is the mean over the codebooks that were used."""
        books = len(self.codebook_sizes)
        limits = torch.as_tensor(books if num_codebooks is None else num_codebooks, device=latents.device).expand(len(latents))
        semantic: Quantized = self.semantic(latents, limits.clamp(max=self.semantic_books))
        if int(limits.max()) <= self.semantic_books:
            return semantic
        acoustic = self.acoustic(latents, (limits - self.semantic_books).clamp(min=0))
        codes = torch.cat([semantic.codes, acoustic.codes], dim=1)
        share = semantic.codes.shape[1] / codes.shape[1]
        return Quantized(semantic.latents + acoustic.latents, codes, share * semantic.loss + (1 - share) * acoustic.loss)

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """Latents (batch, dim, frames) to codes (batch, num_codebooks, frames), each part's the best of the `beams`."""
        count = len(self.codebook_sizes) if num_codebooks is None else num_codebooks
        codes = self.semantic.encode(latents, min(count, self.semantic_books), beams)
        if count <= self.semantic_books:
            return codes
        return torch.cat([codes, self.acoustic.encode(latents, count - self.semantic_books, beams)], dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all codebooks, to latents (batch, dim, frames); -1 adds nothing."""
        latents = self.semantic.decode(codes[:, : self.semantic_books])
        rest = codes[:, self.semantic_books :]
        return latents + self.acoustic.decode(rest) if rest.shape[1] else latents

    @property
    def started(self) -> bool:
        return self.semantic.rvq.started and self.acoustic.rvq.started

    def usage(self) -> list[Tensor]:
        return [*self.semantic.rvq.usage(), *self.acoustic.rvq.usage()]

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Place all codebooks by k-means on latents (batch, dim, frames)."""
        for part in (self.semantic, self.acoustic):
            part.rvq.start(part.into(latents))


class MappedRVQ(nn.Module):
    """Residual quantization between two linear maps without biases, (batch, dim, frames) -> `inner` channels and back."""

    def __init__(self, dim: int, codebooks: int, size: int, inner: int) -> None:
        super().__init__()
        self.project_in, self.project_out = nn.Linear(dim, inner, bias=False), nn.Linear(inner, dim, bias=False)
        self.rvq = ResidualVQ(inner, codebooks, size)

    def forward(self, latents: Tensor, limits: Tensor) -> Quantized:
        """With so many codebooks for each item, (batch,); an item with none gets zeros."""
        quantized: Quantized = self.rvq(self.into(latents), limits)
        return quantized._replace(latents=self._out_of(quantized.latents) * (limits > 0)[:, None, None])

    def encode(self, latents: Tensor, count: int, beams: Sequence[int]) -> Tensor:
        return self.rvq.encode(self.into(latents), count, beams)

    def decode(self, codes: Tensor) -> Tensor:
        return self._out_of(self.rvq.decode(codes))

    def into(self, latents: Tensor) -> Tensor:
        found: Tensor = self.project_in(latents.to(self.project_in.weight.dtype).transpose(1, 2))
        return found.transpose(1, 2)

    def _out_of(self, inner: Tensor) -> Tensor:
        found: Tensor = self.project_out(inner.transpose(1, 2))
        return found.transpose(1, 2)
