"""Masked-channel residual quantization: the first codebooks each see a share of the channels."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.quantizers.residual import ResidualVQ


class MaskedChannelRVQ(ResidualVQ):
    """RVQ whose first `groups` layers each code a disjoint share of the channels side by side, the rest all that these left.

    Ji et al., "Language-Codec" (arXiv 2402.12208), section 3.2: it moves information out of the first codebook, which
    helps the language models that predict the codes. The published model has three groups. One `encode` serves
    training and use (the released code has two that disagree), and the gradient is that of the identity (the released one is as many
    times that as there are layers after the groups, and one more).
    """

    masks: Tensor

    def __init__(
        self, dim: int, codebooks: int = 8, size: int = 1024, groups: int = 3, gradient: str = "straight", averages: str = "joint"
    ) -> None:
        super().__init__(dim, codebooks, size, gradient, averages)
        self.groups = min(groups, codebooks)
        edges = [dim * g // self.groups for g in range(self.groups + 1)]
        masks = torch.zeros(self.groups, dim)
        for g in range(self.groups):
            masks[g, edges[g] : edges[g + 1]] = 1
        self.register_buffer("masks", masks, persistent=False)
        for book, mask in zip(self.codebooks, masks, strict=False):
            book.total.mul_(mask)

    def channel_mask(self, index: int) -> Tensor | None:
        return self.masks[index] if index < self.groups else None
