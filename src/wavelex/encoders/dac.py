"""Convolutional encoder: residual units of dilated convolutions, then a strided one, again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.encoders.base import Encoder
from wavelex.nn.dilated import KERNEL, Activation, residual_units, same_conv
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.snake import snake
from wavelex.nn.streaming import Chain, State, Streaming, total_lookahead

DILATIONS = (1, 3, 9)


class DACEncoder(Encoder):
    """Samples (batch, 1, T) in [-1, 1] to latents (batch, dim, frames), with frames a multiple of `multiple`.

    Kumar et al., "High-fidelity audio compression with improved RVQGAN" (arXiv 2306.06546), appendix A. Every stride doubles the
    channels, `width` at first. Silence fills the last frame, and as many more as `multiple` asks for; with `always_silence`, a signal
    that ends with a frame is followed by another all the same (BigCodec). Around that, every layer sees zeros. `context` is a layer on
    the last channels before the last convolution: memory or attention. With `depthwise`, the dilated convolutions and the last one work
    on each channel alone, and no activation comes before the last (SNAC).
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
        multiple: int = 1,
        always_silence: bool = False,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length, self.multiple, self.always_silence = dim, math.prod(strides), multiple, always_silence
        layers: list[Streaming] = [same_conv(1, width, KERNEL)]
        for stride in strides:
            reach = math.ceil(stride / 2)
            layers += residual_units(width, dilations, activation, depthwise)
            layers += [activation(width), PaddedConv1d(width, 2 * width, 2 * stride, stride=stride, left=reach, right=reach)]
            width *= 2
        layers += [context] if context else []
        if depthwise:
            layers += [same_conv(width, dim, KERNEL, groups=width)]
        else:
            layers += [activation(width), same_conv(width, dim, 3)]
        self.network = Chain(*layers)
        self.lookahead = total_lookahead(layers, 1)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return 0, self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        count, carried = state
        count += x.shape[-1]
        if final:
            whole = self.hop_length * self.multiple
            silence = -count % whole
            x = nn.functional.pad(x, (0, whole if self.always_silence and not silence else silence))
        latents, carried = self.network.step(x.to(self.network.dtype), carried, final)
        return latents, (count, carried)
