"""Binary quantization without a stored codebook: a code is the signs of its channels, on a sphere or free, kept in use by entropy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from wavelex.quantizers.codebook import mean_of_rows
from wavelex.quantizers.gradients import straight_through
from wavelex.quantizers.side_by_side import Coded, SideBySide

FORMS = ("spherical", "free")
JOINT_BITS = 9
"""Bits whose joint distribution is looked at: 512 probabilities a frame."""


class Binary(SideBySide):
    """`groups` codes of `bits` signs a frame, the first channel the most significant bit; every code is a corner of a cube.

    `spherical`: channels of a group are scaled to length one and so are the corners (Zhao et al., "Binary spherical quantization", arXiv
    2406.07548). `free`: channels are taken as they are, corners are +-1 (Yu et al., MAGVIT-v2, arXiv 2310.05737, "lookup-free").
    The gradient passes straight through the signs, on a sphere then through the scaling.

    The loss is `entropy` * (mean entropy of the soft code of a frame - `diversity` * entropy of the mean soft code): decided frames, all
    codes in use. Soft means softmax of -(squared distance) / `temperature` over all corners, which factorises into the bits, so the first
    entropy is exact and costs no table. The second is exact for up to 9 bits; more are taken in blocks of at most 9, which bounds it
    from above.
    """

    def __init__(
        self,
        dim: int,
        bits: int = 13,
        groups: int = 1,
        form: str = "spherical",
        entropy: float = 0.1,
        diversity: float = 1.0,
        temperature: float = 0.01,
        projected: bool | None = None,
    ) -> None:
        super().__init__(dim, groups, bits, projected=projected)
        if form not in FORMS:
            raise ValueError(f"form {form!r}; choose from {', '.join(FORMS)}")
        self.form, self.entropy, self.diversity, self.temperature = form, entropy, diversity, temperature
        self.corner = bits**-0.5 if form == "spherical" else 1.0
        self.places: Tensor
        self.register_buffer("places", 2 ** torch.arange(bits - 1, -1, -1))
        # All statistics of a batch pass through here: a batch that is spread over processes is averaged by replacing it.
        self.average: Callable[[Tensor], Tensor] = mean_of_rows

    @property
    def codebook_sizes(self) -> list[int]:
        return [2**self.width] * self.slots

    def code(self, channels: Tensor) -> Coded:
        """See `SideBySide`."""
        each = self._entering(channels)
        bits = each > 0
        codes = (bits * self.places[:, None]).sum(2)
        return Coded(codes, straight_through(each, self._corners(bits)))

    def values(self, codes: Tensor) -> Tensor:
        """See `SideBySide`."""
        return self._corners((codes[:, :, None] & self.places[:, None]) > 0)

    def loss(self, channels: Tensor, coded: Coded, used: Tensor) -> Tensor:
        """The entropy term, averaged over the groups."""
        each = self._entering(channels).permute(1, 0, 3, 2)  # (groups, batch, frames, bits)
        terms = []
        for group, items in zip(each, used.T, strict=True):
            logits = group[items].flatten(0, 1) * (4 * self.corner / self.temperature)
            p = logits.sigmoid()
            # h(p) from the logits, which neither overflows nor takes the logarithm of nothing.
            sure = (nn.functional.softplus(logits) - p * logits).sum(1).mean() if len(p) else logits.sum()
            terms.append(sure - self.diversity * self._variety(p))
        return self.entropy * torch.stack(terms).mean()

    def _variety(self, p: Tensor) -> Tensor:
        """Entropy of the mean soft code, of the probabilities (n, bits) of ones; a sum over blocks of bits."""
        total = p.new_zeros(())
        for block in torch.split(p, JOINT_BITS, dim=1):
            joint = p.new_ones(len(p), 1)
            for one in block.unbind(1):
                joint = torch.cat([joint * (1 - one)[:, None], joint * one[:, None]], dim=1)
            mean = self.average(joint)
            total = total - (mean * mean.clamp(min=1e-12).log()).sum()
        return total

    def _entering(self, channels: Tensor) -> Tensor:
        """(batch, groups, bits, frames)."""
        each = channels.view(len(channels), self.slots, self.width, channels.shape[2])
        return nn.functional.normalize(each, dim=2) if self.form == "spherical" else each

    def _corners(self, bits: Tensor) -> Tensor:
        return bits * (2 * self.corner) - self.corner
