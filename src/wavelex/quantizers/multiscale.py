"""Multi-scale quantization: residual codebooks, the first of which see means over several frames."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.factorised import COMMITMENT, ProjectedCodebook
from wavelex.quantizers.layout import Layout, Track

MOST_SLOTS = 255
"""Codes of a superframe that a token file can hold."""


class MultiScaleVQ(Quantizer):
    """One codebook a time scale, each coding means of `periods[i]` frames of what the coarser ones left; its vector is repeated as often.

    Siuzdak et al., "SNAC: Multi-Scale Neural Audio Codec" (arXiv 2410.14411), section 2.1, on the codebooks of `FactorisedVQ`. A frame of
    codes is a superframe of as many frames as all periods divide, or a multiple of that if `superframe` says so. It holds the
    coarsest track first, so that a prefix of its slots is a coarser signal. Latents are (batch, superframe * dim, superframes).

    The loss is summed over the tracks and weighted as that of `FactorisedVQ`.
    """

    additive = True

    def __init__(
        self,
        dim: int,
        periods: Sequence[int],
        size: int = 4096,
        code_dim: int = 8,
        superframe: int | None = None,
        commitment: float = COMMITMENT,
    ) -> None:
        super().__init__()
        self.dim, self.periods, self.commitment = dim, tuple(periods), commitment
        whole = superframe or math.lcm(*periods)
        if any(whole % period for period in periods):
            raise ValueError(f"periods {list(periods)} do not divide a superframe of {whole}")
        if (slots := sum(whole // period for period in periods)) > MOST_SLOTS:
            raise ValueError(f"periods {list(periods)} make {slots} codes of a superframe; a file holds {MOST_SLOTS}")
        self.layers = nn.ModuleList(ProjectedCodebook(dim, size, code_dim) for _ in periods)
        self._layout = Layout(tuple(Track(f"every {period}", (size,), whole // period) for period in periods), whole)

    @property
    def layout(self) -> Layout:
        return self._layout

    @property
    def codebook_sizes(self) -> list[int]:
        return self._layout.sizes

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        """Quantize with the first `num_codebooks` slots of every superframe: one number, or one an item (batch,)."""
        limits = self.counts(num_codebooks, latents)
        slots = len(self.codebook_sizes)
        batch, _, superframes = latents.shape
        used = (torch.arange(slots, device=latents.device) < limits[:, None])[..., None].expand(-1, -1, superframes)
        residual = self._apart(latents.to(next(self.parameters()).dtype))
        quantized = torch.zeros_like(residual)
        codes: dict[str, Tensor] = {}
        loss = residual.new_zeros(())
        with torch.autocast(latents.device.type, enabled=False):
            for period, track, layer in zip(self.periods, self._layout.tracks, self._books, strict=True):
                found = layer(residual.reshape(batch, self.dim, residual.shape[2] // period, period).mean(3))
                counts = self._layout.split(used)[track.name][:, 0]
                spread = found.latents.repeat_interleave(period, dim=-1)
                residual = residual - spread
                quantized = quantized + spread * counts.repeat_interleave(period, dim=-1)[:, None]
                loss = loss + ((found.codebook + self.commitment * found.commitment) * counts).mean()
                codes[track.name] = torch.where(counts, found.codes, -1)[:, None]
        joined = self._layout.join(codes)[:, : int(limits.max())]
        return Quantized(self._together(quantized), joined, loss)

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """Latents to codes (batch, num_codebooks, superframes), coarsest track first, whatever the `beams`."""
        return self.forward(latents, num_codebooks).codes

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, superframes), n from 1 to all slots, to latents; -1 adds nothing."""
        self.counts(codes.shape[1], codes)
        slots = len(self.codebook_sizes)
        tracks = self._layout.split(nn.functional.pad(codes, (0, 0, 0, slots - codes.shape[1]), value=-1))
        latents = [
            layer.decode(tracks[track.name][:, 0]).repeat_interleave(period, dim=-1)
            for period, track, layer in zip(self.periods, self._layout.tracks, self._books, strict=True)
        ]
        return self._together(torch.stack(latents).sum(0))

    @property
    def _books(self) -> list[ProjectedCodebook]:
        return [layer for layer in self.layers if isinstance(layer, ProjectedCodebook)]

    def _apart(self, latents: Tensor) -> Tensor:
        """(batch, superframe * dim, n) to the frames of the superframes one after the other, (batch, dim, n * superframe)."""
        batch, _, count = latents.shape
        return latents.reshape(batch, self._layout.superframe, self.dim, count).permute(0, 2, 3, 1).flatten(2)

    def _together(self, latents: Tensor) -> Tensor:
        """The inverse of `_apart`."""
        batch, dim, frames = latents.shape
        each = latents.reshape(batch, dim, frames // self._layout.superframe, self._layout.superframe)
        return each.permute(0, 3, 1, 2).flatten(1, 2)
