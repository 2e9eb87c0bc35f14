"""The nearest codes that beams of some widths find, each frame by itself; and such codes for frames with different numbers of codebooks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantizer
from wavelex.search.base import FrameSearch


class NearestSearch(FrameSearch):
    """Codes by squared error of the latents alone."""

    def __init__(self, quantizer: Quantizer, codebooks: int, beams: Sequence[int]) -> None:
        self.codebooks = codebooks
        self._quantizer, self._beams = quantizer, tuple(beams)

    def begin(self) -> None:
        """There is no past to forget."""

    def choose(self, latents: Tensor, counts: Tensor | None = None) -> Tensor:
        """See `FrameSearch`."""
        return encode_with(self._quantizer, latents, counts, self.codebooks, self._beams)


def encode_varied(quantizer: Quantizer, latents: Tensor, counts: Tensor, codebooks: int, beams: Sequence[int]) -> Tensor:
    """Codes (1, codebooks, frames) for latents (1, dim, frames), frame t with its `counts` (frames,) coarsest and -1 beyond."""
    codes = torch.full((1, codebooks, latents.shape[2]), -1, dtype=torch.long, device=latents.device)
    for count in torch.unique(counts).tolist():
        chosen = torch.nonzero(counts == count)[:, 0]
        codes[:, :count, chosen] = quantizer.encode(latents[:, :, chosen], count, beams)
    return codes


def encode_with(quantizer: Quantizer, latents: Tensor, counts: Tensor | None, codebooks: int, beams: Sequence[int]) -> Tensor:
    """Codes (streams, codebooks, frames) for latents (streams, dim, frames), as many as `counts` (streams, frames) says if it is given."""
    if counts is None:
        return quantizer.encode(latents, codebooks, beams)
    rows = zip(latents.split(1), counts, strict=True)  # type: ignore[no-untyped-call]
    return torch.cat([encode_varied(quantizer, row, count, codebooks, beams) for row, count in rows])
