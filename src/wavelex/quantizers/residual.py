"""Residual vector quantization: each codebook codes what the ones before it left."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.beam import beam_search
from wavelex.quantizers.codebook import Codebook
from wavelex.quantizers.gradients import GRADIENTS, straight_through, with_gradient

SUMMED = "summed"
"""A gradient straight through each layer, added up: as many times the identity as there are layers that see all that is left."""


class ResidualVQ(Quantizer):
    """`codebooks` codebooks of `size` vectors over latents (batch, dim, frames); any prefix decodes.

    Zeghidour et al., "SoundStream" (arXiv 2107.03312), section III-C. Gradients as in audiocraft and moshi: every
    layer's commitment reaches the encoder, and the straight-through gradient is exactly one whatever the depth. `gradient` is one of
    GRADIENTS, which applies once, to the latents and the sum of all layers, or SUMMED, which the released code of Language-Codec and
    WavTokenizer has. `averages` is how the codebooks learn, see `Codebook`.
    """

    additive = True

    def __init__(self, dim: int, codebooks: int = 8, size: int = 1024, gradient: str = "straight", averages: str = "joint") -> None:
        super().__init__()
        if gradient not in (*GRADIENTS, SUMMED):
            raise ValueError(f"gradient {gradient!r}; choose from {', '.join((*GRADIENTS, SUMMED))}")
        self.dim, self.gradient = dim, gradient
        self.layers = nn.ModuleList(Codebook(size, dim, averages=averages) for _ in range(codebooks))

    @property
    def codebooks(self) -> list[Codebook]:
        return [layer for layer in self.layers if isinstance(layer, Codebook)]

    @property
    def codebook_sizes(self) -> list[int]:
        return [book.size for book in self.codebooks]

    def channel_mask(self, index: int) -> Tensor | None:
        """Which channels of the latents layer `index` sees, (dim,) of 0 and 1; None for what the layers before it left of all."""
        return None

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        """Quantize with `num_codebooks` layers: one number, or one an item (batch,) for quantizer dropout.

        In training mode with gradients on, codebooks start by k-means on first use and then follow the inputs.
        """
        batch, _, frames = latents.shape
        limits = torch.as_tensor(len(self.layers) if num_codebooks is None else num_codebooks, device=latents.device)
        self._check(int(limits.max()))
        limits = limits.expand(batch)
        learning = self.training and torch.is_grad_enabled()
        given = residual = self._full(latents)
        quantized = passed = torch.zeros_like(residual)
        codes, losses = [], []
        for index in range(int(limits.max())):
            active = limits > index
            target = self._seen(given, residual, index)
            indices, vectors = self._code(index, target, active if learning else None)
            keep = active[:, None, None]
            losses.append((target - vectors)[active].square().mean())
            residual = residual - vectors * keep
            quantized = quantized + vectors * keep
            passed = passed + target * keep if self.gradient == SUMMED else passed
            codes.append(torch.where(active[:, None], indices, -1))
        stacked = torch.stack(codes, dim=1) if codes else latents.new_zeros(batch, 0, frames, dtype=torch.long)
        summed = self.gradient == SUMMED
        decoded = straight_through(passed, quantized) if summed else with_gradient(latents, quantized, self.gradient)
        return Quantized(decoded, stacked, torch.stack(losses).mean())

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """Latents (batch, dim, frames) to codes (batch, num_codebooks, frames), coarse first: the best of the `beams`."""
        count = len(self.layers) if num_codebooks is None else num_codebooks
        self._check(count)
        given = residual = self._full(latents)
        if max(beams) > 1:
            # A masked layer learns vectors that are zero outside its channels, so distances over all channels rank them alike.
            found = beam_search(_rows(residual), [book.vectors for book in self.codebooks[:count]], beams)
            return found.view(latents.shape[0], latents.shape[2], count).transpose(1, 2)
        codes = []
        for index in range(count):
            indices, vectors = self._code(index, self._seen(given, residual, index), None)
            residual = residual - vectors
            codes.append(indices)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all codebooks, to latents (batch, dim, frames); -1 adds nothing."""
        self._check(codes.shape[1])
        rows = zip(self.codebooks, codes.unbind(1), strict=False)
        return torch.stack([book.lookup(row.clamp(min=0)) * (row >= 0)[..., None] for book, row in rows]).sum(0).transpose(1, 2)

    @property
    def started(self) -> bool:
        return all(bool(book.started) for book in self.codebooks)

    def usage(self) -> list[Tensor]:
        return [book.usage for book in self.codebooks]

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Place all codebooks by k-means, layer by layer, on latents (batch, dim, frames)."""
        given = residual = self._full(latents)
        for index in range(len(self.layers)):
            target = self._seen(given, residual, index)
            self.codebooks[index].start(_rows(target))
            residual = residual - self._code(index, target, None)[1]

    def _full(self, latents: Tensor) -> Tensor:
        """In the precision of the codebooks."""
        return latents.to(self.codebooks[0].total.dtype)

    def _seen(self, latents: Tensor, residual: Tensor, index: int) -> Tensor:
        mask = self.channel_mask(index)
        return residual if mask is None else latents * mask[:, None]

    def _code(self, index: int, target: Tensor, learn_from: Tensor | None) -> tuple[Tensor, Tensor]:
        """Indices (batch, frames) and vectors (batch, dim, frames); learns from the items marked, if any are given."""
        layer = self.codebooks[index]
        with torch.no_grad(), torch.autocast(target.device.type, enabled=False):
            rows = _rows(target)
            if learn_from is not None and not layer.started:
                layer.start(_rows(target[learn_from]))
            indices = layer.nearest(rows).view(target.shape[0], target.shape[2])
            vectors = layer.lookup(indices).transpose(1, 2)
            if learn_from is not None:
                layer.learn(_rows(target[learn_from]), indices[learn_from].flatten())
        return indices, vectors

    def _check(self, count: int) -> None:
        if not 1 <= count <= len(self.layers):
            raise ValueError(f"{count} codebooks asked for; this quantizer has 1 to {len(self.layers)}")


def _rows(x: Tensor) -> Tensor:
    """(batch, dim, frames) to (batch * frames, dim)."""
    return x.transpose(1, 2).reshape(-1, x.shape[1])
