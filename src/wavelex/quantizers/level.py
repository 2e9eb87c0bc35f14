"""A quantizer of latents whose first channel is a level in decibels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.residual import ResidualVQ


class LevelVQ(Quantizer):
    """The level in `levels` steps of `step` decibels as the first codebook, all other channels as `inner` codes them.

    A code at every frame, though the level changes seldom: entropy coding makes nearly nothing of it. The gradient passes straight
    through the steps. Codes are not additive, though decoded latents are their sum: a search for the least error would trade decibels
    against what `inner` codes.
    """

    def __init__(self, inner: ResidualVQ, levels: int = 1024, step: float = 0.1) -> None:
        super().__init__()
        self.inner, self.levels, self.width = inner, levels, step

    @property
    def codebook_sizes(self) -> list[int]:
        return [self.levels, *self.inner.codebook_sizes]

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        counts = self.counts(num_codebooks, latents)
        codes, level = self._steps(latents)
        if int(counts.max()) == 1:
            rest = torch.zeros_like(latents[:, 1:])
            return Quantized(torch.cat([level, rest], dim=1), codes, latents.new_zeros(()))
        made = self.inner(latents[:, 1:], (counts - 1).clamp(min=1))
        more = counts > 1
        coded = torch.where(more[:, None, None], made.codes, -1)
        return Quantized(torch.cat([level, made.latents * more[:, None, None]], dim=1), torch.cat([codes, coded], dim=1), made.loss)

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        count = int(self.counts(num_codebooks, latents[:1]).max()) if len(latents) else len(self.codebook_sizes)
        codes, _ = self._steps(latents)
        return torch.cat([codes, self.inner.encode(latents[:, 1:], count - 1, beams)], dim=1) if count > 1 else codes

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all codebooks, to latents (batch, 1 + dim, frames); -1 adds nothing."""
        self.counts(codes.shape[1], codes)
        level = codes[:, :1].clamp(min=0) * self.width
        if codes.shape[1] == 1:
            return torch.cat([level, level.new_zeros(len(codes), self.inner.dim, codes.shape[2])], dim=1)
        rest = self.inner.decode(codes[:, 1:])
        return torch.cat([level.to(rest.dtype), rest], dim=1)

    @property
    def started(self) -> bool:
        return self.inner.started

    def start(self, latents: Tensor) -> None:
        self.inner.start(latents[:, 1:])

    def usage(self) -> list[Tensor]:
        """Of the codebooks of `inner`; that of the level is not learned."""
        return self.inner.usage()

    def _steps(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and level (batch, 1, frames), with a gradient to the latents."""
        level = latents[:, :1].to(torch.promote_types(latents.dtype, torch.float32))
        codes = (level.detach() / self.width).round().clamp(0, self.levels - 1).long()
        return codes, level + (codes * self.width - level).detach()
