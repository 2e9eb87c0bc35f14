"""Tail drop: in training only the first frames of each block are kept, a random number of them, so that what matters comes first."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.errors import WavelexError
from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.wrapper import Wrapper


class TailDrop(Wrapper):
    """Of each block of `block` frames, an item keeps the first 1 ... block, with equal chances, while training; codes of others are -1.

    Miwa et al., "One-D-Piece" (arXiv 2501.10064), where the tokens of an image stand in no order but this. It is not the
    dropout of codebooks, which leaves every frame and makes it coarser: here a frame is whole or gone, and the rate changes by the
    frame. It is of use with an encoder that sees the whole block and can move what matters to its beginning; to one that sees a frame
    alone, it is packet loss at the end of blocks. `kept` cuts codes to a length that a decoder so trained expects.
    """

    def __init__(self, inner: Quantizer, block: int) -> None:
        super().__init__(inner)
        if block < 1:
            raise ValueError(f"a block of {block} frames; give at least 1")
        self.block = block

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        found = super().forward(latents, num_codebooks)
        if not (self.training and torch.is_grad_enabled()):
            return found
        lengths = torch.randint(1, self.block + 1, (len(latents), 1), device=latents.device)
        there = (torch.arange(latents.shape[2], device=latents.device) % self.block < lengths)[:, None]
        return found._replace(latents=found.latents * there, codes=torch.where(there, found.codes, -1))

    def kept(self, codes: Tensor, count: int) -> Tensor:
        """Codes (batch, codebooks, frames) of the first `count` frames of each block; the others are -1, which adds nothing.

        Raises WavelexError for a count that a block has not.
        """
        if not 1 <= count <= self.block:
            raise WavelexError(f"{count} frames of each block asked for; a block has 1 to {self.block}")
        return torch.where(torch.arange(codes.shape[2], device=codes.device) % self.block < count, codes, -1)
