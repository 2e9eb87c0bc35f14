"""Residual quantization of which only the first codebooks are kept; the others take part in training alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.books import VectorQuantizer
from wavelex.quantizers.gradients import with_gradient


class LeadingVQ(Quantizer):
    """The first `kept` codebooks of a residual quantizer: they alone give codes and latents, while the loss is that of all.

    Xue et al., "HH-Codec" (arXiv 2507.18897), section 3.2: two residual codebooks, the decoder reads the first. The second asks the encoder
    for latents of which little is left.
    """

    additive = True

    def __init__(self, inner: VectorQuantizer, kept: int = 1) -> None:
        super().__init__()
        if not 1 <= kept <= len(inner.books):
            raise ValueError(f"{kept} codebooks cannot be kept of {len(inner.books)}")
        self.inner, self.kept = inner, kept

    @property
    def codebook_sizes(self) -> list[int]:
        return self.inner.codebook_sizes[: self.kept]

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        counts = self.counts(num_codebooks, latents)
        made = self.inner(latents)
        used = torch.arange(self.kept, device=latents.device) < counts[:, None]
        codes = torch.where(used[..., None], made.codes[:, : self.kept], -1)[:, : int(counts.max())]
        vectors = self.inner.decode(codes).detach()
        return Quantized(with_gradient(self.inner.entering(latents), vectors, self.inner.gradient), codes, made.loss)

    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        self.counts(num_codebooks, latents[:1])
        return self.inner.encode(latents, num_codebooks or self.kept, beams)

    def decode(self, codes: Tensor) -> Tensor:
        self.counts(codes.shape[1], codes)
        return self.inner.decode(codes)

    @property
    def started(self) -> bool:
        return self.inner.started

    def start(self, latents: Tensor) -> None:
        self.inner.start(latents)

    def usage(self) -> list[Tensor]:
        return self.inner.usage()[: self.kept]
