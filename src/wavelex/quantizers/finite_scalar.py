"""Finite scalar quantization: few channels, each bounded and rounded to a few levels; no codebook is stored and none can die."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.quantizers.gradients import straight_through
from wavelex.quantizers.side_by_side import Coded, SideBySide

FORMS = ("tanh", "tanh twice", "clamp")


class FiniteScalar(SideBySide):
    """A code is the digits of `levels`, one digit a channel, for each of `groups` groups of channels and `layers` residual layers.

    Mentzer et al., "Finite Scalar Quantization" (arXiv 2309.15505), section 3.1 and appendix A.1. `form` is how a channel y is bounded:

    - `tanh`: as in the paper; rounds tanh(y + shift) * half - offset, half = (level - 1) * (1 + margin) / 2.
    - `tanh twice`: the bounded value, not yet rounded, is bounded again, as published by X-Codec-2 and Firefly.
    - `clamp`: evenly spaced levels from -1 to 1 (Parker et al., "Stable Codec", arXiv 2411.19842, section 3.2). The only form with
      residual layers: layer m codes what is left, times level^m.

    Firefly (fish-speech) has levels 8, 5, 5, 5, 8 groups, separate maps; CosyVoice 2 has 8 channels of 3 levels and a `margin` of -0.001.
    Asks for no loss. The gradient is that of the bounding of the first layer, as if nothing were rounded. Raises ValueError for levels
    that a form cannot have.
    """

    levels: Tensor
    places: Tensor

    def __init__(
        self,
        dim: int,
        levels: Sequence[int] = (8, 5, 5, 5),
        groups: int = 1,
        layers: int = 1,
        form: str = "tanh",
        margin: float = 1e-3,
        projected: bool | None = None,
        separate: bool = True,
    ) -> None:
        super().__init__(dim, groups, len(levels), layers, projected, maps=groups if separate else 1)
        if form not in FORMS:
            raise ValueError(f"form {form!r}; choose from {', '.join(FORMS)}")
        if min(levels) < (2 if form == "clamp" else 3):
            raise ValueError(f"levels {list(levels)}: form {form} needs more levels a channel")
        if layers > 1 and form != "clamp":
            raise ValueError("residual layers need form clamp")
        self.form, self.margin, self.size = form, margin, math.prod(levels)
        self.register_buffer("levels", torch.tensor(list(levels)))
        self.register_buffer("places", torch.tensor([1, *levels[:-1]]).cumprod(0), persistent=False)

    @property
    def codebook_sizes(self) -> list[int]:
        return [self.size] * (self.slots * self.layers)

    def code(self, channels: Tensor) -> Coded:
        """See `SideBySide`."""
        batch, _, frames = channels.shape
        rest = self._entering(channels.view(batch, self.slots, self.width, frames))
        codes, values = [], []
        for layer in range(self.layers):
            scale = self._scale(layer)
            unrounded = self._unrounded(rest / scale)
            digits = unrounded.detach().round()
            value = self._value(digits)
            codes.append((digits.long() * self.places[:, None]).sum(2))
            # The first layer alone passes the gradient on, so that it is one whatever their number.
            values.append(value * scale if layer else straight_through(self._value(unrounded), value))
            rest = rest - value * scale
        return Coded(torch.cat(codes, dim=1), torch.cat(values, dim=1))

    def values(self, codes: Tensor) -> Tensor:
        """See `SideBySide`."""
        digits = codes[:, :, None] // self.places[:, None] % self.levels[:, None]
        scales = torch.stack([self._scale(layer) for layer in range(self.layers)])
        return self._value(digits) * scales.repeat_interleave(self.slots, dim=0)

    def _entering(self, channels: Tensor) -> Tensor:
        """What the first layer is given."""
        if self.form == "tanh":
            return channels
        if self.form == "tanh twice":
            return self._unrounded(channels) - self.levels[:, None] // 2
        ceiling = 1 + 1 / (self.levels[:, None] - 1)
        return (channels / ceiling).tanh() * ceiling

    def _unrounded(self, channels: Tensor) -> Tensor:
        """Bounded channels in digits, from 0 to level - 1."""
        levels = self.levels[:, None]
        if self.form == "clamp":
            return (channels.clamp(-1, 1) + 1) * ((levels - 1) / 2)
        half = (levels - 1) * ((1 + self.margin) / 2)
        offset = 0.5 * (levels % 2 == 0)
        return (channels + (offset / half).atanh()).tanh() * half - offset + levels // 2

    def _value(self, digits: Tensor) -> Tensor:
        """What digits stand for, rounded or not."""
        levels = self.levels[:, None]
        if self.form == "clamp":
            return digits * (2 / (levels - 1)) - 1
        return (digits - levels // 2) / (levels // 2)

    def _scale(self, layer: int) -> Tensor:
        """Of the values of a layer, (width, 1)."""
        return self.levels[:, None].float() ** -layer
