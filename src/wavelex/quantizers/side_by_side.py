"""What quantizers share whose codebooks lie side by side: each codes channels of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer


class Coded(NamedTuple):
    """What became of latents, by codebook."""

    codes: Tensor
    """(batch, codebooks, frames) int64."""
    values: Tensor
    """(batch, codebooks, width, frames): what each adds to its channels, with the gradient that its quantizer declares."""


class SideBySide(Quantizer):
    """Latents, mapped linearly to `slots` times `width` channels, each slot coded by `layers` codebooks, and mapped back.

    Codebooks are ordered layer after layer, within a layer slot after slot, so that a prefix is coarser everywhere at once; a slot that
    a prefix lacks adds nothing. With `maps` > 1 the linear maps are that many independent ones of equal shares of channels and slots.
    Without `projected` there are none, and `dim` must be slots * width.

    A kind of quantizer implements `code` and `values`, and `loss` if it asks for something to be minimised.
    """

    additive = True

    def __init__(self, dim: int, slots: int, width: int, layers: int = 1, projected: bool | None = None, maps: int = 1) -> None:
        super().__init__()
        inner = slots * width
        self.dim, self.slots, self.width, self.layers, self.maps = dim, slots, width, layers, maps
        if not (dim != inner if projected is None else projected):
            if dim != inner:
                raise ValueError(f"{slots} x {width} channels are coded, not {dim}; they must be mapped (projected)")
            self.into = self.out_of = None
            return
        if dim % maps or slots % maps:
            raise ValueError(f"{maps} maps do not share {dim} channels and {slots} slots evenly")
        self.into = nn.Conv1d(dim, inner, 1, groups=maps)
        self.out_of = nn.Conv1d(inner, dim, 1, groups=maps, bias=False)
        # Added with the first codebook of the map, so that a code of -1 adds nothing and latents stay sums of what codes add.
        self.bias = nn.Parameter(torch.zeros(dim))

    def code(self, channels: Tensor) -> Coded:
        """Channels (batch, slots * width, frames) to codes."""
        raise NotImplementedError

    def values(self, codes: Tensor) -> Tensor:
        """Codes (batch, codebooks, frames), none of them -1, to (batch, codebooks, width, frames)."""
        raise NotImplementedError

    def loss(self, channels: Tensor, coded: Coded, used: Tensor) -> Tensor:
        """To be minimised; `used` (batch, codebooks) marks the codebooks that each item uses."""
        return channels.new_zeros(())

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        counts = self.counts(num_codebooks, latents)
        with torch.autocast(latents.device.type, enabled=False):
            channels = self._into(latents)
            coded = self.code(channels)
            used = torch.arange(self.slots * self.layers, device=latents.device) < counts[:, None]
            codes = torch.where(used[..., None], coded.codes, -1)
            loss = self.loss(channels, coded, used)
            return Quantized(self._out_of(coded.values, codes >= 0), codes[:, : int(counts.max())], loss)

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """Codes of each slot are the best there are, so wider beams find no others."""
        self.counts(num_codebooks, latents)
        with torch.autocast(latents.device.type, enabled=False):
            return self.code(self._into(latents)).codes[:, :num_codebooks]

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all codebooks, to latents (batch, dim, frames); -1 adds nothing."""
        self.counts(codes.shape[1], codes)
        codes = nn.functional.pad(codes, (0, 0, 0, self.slots * self.layers - codes.shape[1]), value=-1)
        return self._out_of(self.values(codes.clamp(min=0)), codes >= 0)

    def _into(self, latents: Tensor) -> Tensor:
        found = latents.to(torch.promote_types(latents.dtype, torch.float32))
        return found if self.into is None else mapped(self.into, found)

    def _out_of(self, values: Tensor, there: Tensor) -> Tensor:
        """Values (batch, codebooks, width, frames) where they are `there` (batch, codebooks, frames), as latents (batch, dim, frames)."""
        batch, _, _, frames = values.shape
        kept = values * there[:, :, None]
        channels = kept.view(batch, self.layers, self.slots * self.width, frames).sum(1)
        if self.out_of is None:
            return channels
        first = there[:, : self.slots : self.slots // self.maps].repeat_interleave(self.dim // self.maps, dim=1)
        return mapped(self.out_of, channels) + self.bias[:, None] * first


def mapped(linear: nn.Conv1d, channels: Tensor) -> Tensor:
    """A convolution of kernel 1, also over no frames at all."""
    channels = channels.to(linear.weight.dtype)
    found: Tensor = linear(channels) if channels.shape[2] else channels.new_zeros(len(channels), linear.out_channels, 0)
    return found
