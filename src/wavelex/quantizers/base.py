"""What every quantizer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from wavelex.nn.precision import FullPrecision
from wavelex.quantizers.layout import Layout, Track


class Quantized(NamedTuple):
    """What a quantizer gives in training."""

    latents: Tensor
    """(batch, dim, frames), with the gradient of the identity to the input."""
    codes: Tensor
    """(batch, codebooks, frames) int64; -1 where an item used fewer codebooks than the longest."""
    loss: Tensor
    """What the quantizer itself asks to be minimised, unweighted."""


class Quantizer(FullPrecision):
    """Latents (batch, dim, frames) to codes (batch, codebooks, frames) and back; any prefix of the codebooks decodes.

    Stays in single precision when the codec is cast to half: what a code stands for must not depend on that. With a `layout` of several
    base frames a superframe, a frame here is a superframe, and its latents are those of its base frames one after the other.
    """

    additive: bool = False
    """Whether the decoded latents are the sum of what each code adds (`code_vectors`), as in residual quantization."""

    @property
    def codebook_sizes(self) -> list[int]:
        """Number of codes of each codebook, coarse first."""
        raise NotImplementedError

    @property
    def layout(self) -> Layout:
        """How several frame rates lie in a frame of codes; one track of one frame unless a quantizer says otherwise."""
        return Layout((Track("codes", tuple(self.codebook_sizes)),))

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        """Quantize with `num_codebooks` codebooks: one number, or one an item (batch,); all unless given."""
        raise NotImplementedError

    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """The codes that `forward` gives, or nearer ones that searches with these beam widths find; they decode alike."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """The latents that `forward` gives in eval mode; a code of -1 adds nothing."""
        raise NotImplementedError

    def counts(self, num_codebooks: int | Tensor | None, latents: Tensor) -> Tensor:
        """How many codebooks each item is coded with, (batch,). Raises ValueError for numbers that there are not."""
        total = len(self.codebook_sizes)
        found = torch.as_tensor(total if num_codebooks is None else num_codebooks, device=latents.device)
        if int(found.min()) < 1 or int(found.max()) > total:
            raise ValueError(f"{found.tolist()} codebooks asked for; this quantizer has 1 to {total}")
        return found.expand(len(latents))

    @torch.no_grad()
    def code_vectors(self, book: int) -> Tensor:
        """What each code of a codebook adds to the latents, for an additive quantizer: (size, dim)."""
        size = self.codebook_sizes[book]
        codes = torch.full((1, book + 1, size), -1)
        codes[0, book] = torch.arange(size)
        some = next(iter(self.state_dict().values()))
        return self.decode(codes.to(some.device))[0].T

    @property
    def started(self) -> bool:
        """Whether the codebooks hold something learned; one that needs no start is always started."""
        return True

    def start(self, latents: Tensor) -> None:
        """Place the codebooks on latents that an encoder without codes gave."""

    def usage(self) -> list[Tensor]:
        """How often each code was used of late, (size,) a codebook; empty where that is not followed."""
        return []
