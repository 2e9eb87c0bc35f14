"""Convolutional decoder: an up-sampling convolution, then residual units of dilated ones, again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.decoders.base import Condition, Decoder
from wavelex.nn.combine import Each
from wavelex.nn.dilated import KERNEL, Activation, residual_units, same_conv
from wavelex.nn.noise import ScaledNoise
from wavelex.nn.padded import PaddedConvTranspose1d
from wavelex.nn.snake import snake
from wavelex.nn.streaming import Chain, State, Streaming, total_lookahead

DILATIONS = (1, 3, 9)


class DACDecoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, 1, T * hop_length) in [-1, 1].

    Kumar et al., "High-fidelity audio compression with improved RVQGAN" (arXiv 2306.06546), appendix A. Every stride halves the
    channels, `width` at first. `context` is a layer on the first of them: memory or attention. Options of SNAC: `depthwise` dilated and
    first convolutions, and `noise` after each up-sampling, in an amount that the network tells; it depends on the condition's seed and
    the absolute step alone.

    An odd stride gives one step more or less at the end than it should, unless `whole`: DAC's own give one less, and what lacks at
    the end in samples is silence here.
    """

    pads = True

    def __init__(
        self,
        dim: int,
        width: int,
        strides: Sequence[int],
        dilations: Sequence[int] = DILATIONS,
        activation: Activation = snake,
        context: Streaming | None = None,
        depthwise: bool = False,
        noise: bool = False,
        whole: bool = True,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length = dim, math.prod(strides)
        layers: list[Streaming] = [same_conv(dim, dim, KERNEL, groups=dim), same_conv(dim, width, 1)] if depthwise else []
        layers = layers or [same_conv(dim, width, KERNEL)]
        layers += [context] if context else []
        for index, stride in enumerate(strides):
            left = math.ceil(stride / 2)
            up = PaddedConvTranspose1d(width, width // 2, 2 * stride, stride, left=left, right=stride - left if whole else left)
            layers += [activation(width), up]
            width //= 2
            layers += [ScaledNoise(width, stream=index)] if noise else []
            layers += residual_units(width, dilations, activation, depthwise)
        layers += [activation(width), same_conv(width, 1, KERNEL), Each(nn.Tanh())]
        self.network = Chain(*layers)
        self.lookahead = total_lookahead(layers, self.hop_length)

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        carried = list(self.network.initial_state(batch, like.to(self.network.dtype)))
        for place, layer in enumerate(self.network.layers):
            if isinstance(layer, ScaledNoise):
                carried[place] = layer.seeded(condition.seed if condition else 0)
        return 0, tuple(carried)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        owed, carried = state
        samples, carried = self.network.step(x.to(self.network.dtype), carried, final)
        owed += x.shape[-1] * self.hop_length - samples.shape[-1]
        return (nn.functional.pad(samples, (0, owed)) if final else samples), (owed, carried)
