"""A quantizer around another: what changes in training only, so that codes and what they stand for are those of the one inside."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.layout import Layout


class Wrapper(Quantizer):
    """Does as `inner` does; a kind of it changes `forward` while training."""

    def __init__(self, inner: Quantizer) -> None:
        super().__init__()
        self.inner = inner
        self.additive = inner.additive

    @property
    def codebook_sizes(self) -> list[int]:
        return self.inner.codebook_sizes

    @property
    def layout(self) -> Layout:
        return self.inner.layout

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        found: Quantized = self.inner(latents, num_codebooks)
        return found

    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        return self.inner.encode(latents, num_codebooks, beams)

    def decode(self, codes: Tensor) -> Tensor:
        return self.inner.decode(codes)

    @torch.no_grad()
    def code_vectors(self, book: int) -> Tensor:
        return self.inner.code_vectors(book)

    @property
    def started(self) -> bool:
        return self.inner.started

    def start(self, latents: Tensor) -> None:
        self.inner.start(latents)

    def usage(self) -> list[Tensor]:
        return self.inner.usage()
