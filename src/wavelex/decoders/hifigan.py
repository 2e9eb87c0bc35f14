"""HiFi-GAN's generator as a decoder: transposed convolutions, and residual blocks of several reaches side by side after each."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.decoders.base import Condition, Decoder
from wavelex.nn.combine import Each, Mean
from wavelex.nn.dilated import Activation, same_conv
from wavelex.nn.hifigan import leaky, residual_block
from wavelex.nn.padded import PaddedConvTranspose1d
from wavelex.nn.snake import AliasFreeSnake
from wavelex.nn.streaming import Chain, State, Streaming


class HiFiGANDecoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, 1, T * hop_length) in [-1, 1]; the hop is the product of the `rates`.

    Kong et al., "HiFi-GAN" (arXiv 2010.05646), section 2.2. `rates` and `kernels` are those of the transposed convolutions, each of which
    halves the `width`, `first_kernel` and `last_kernel` those of the convolutions at both ends; `units` lists (kernel, dilations) of the
    residual blocks whose mean is taken after each. All convolutions are centred, zeros at both ends. With `snake` it is that of Lee et
    al., "BigVGAN" (arXiv 2206.04658), section 3: alias-free snakes in place of rectifiers, and none before the transposed convolutions.
    """

    pads = True

    def __init__(
        self,
        dim: int = 512,
        width: int = 512,
        rates: Sequence[int] = (8, 5, 4, 2),
        kernels: Sequence[int] = (16, 11, 8, 4),
        units: Sequence[tuple[int, Sequence[int]]] = ((3, (1, 3, 5)), (7, (1, 3, 5)), (11, (1, 3, 5))),
        snake: bool = False,
        first_kernel: int = 7,
        last_kernel: int = 7,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length = dim, math.prod(rates)
        activation: Activation = AliasFreeSnake if snake else leaky
        layers: list[Streaming] = [same_conv(dim, width, first_kernel)]
        for rate, kernel in zip(rates, kernels, strict=True):
            left = (kernel - rate) // 2
            layers += [
                *([] if snake else [leaky(width)]),
                PaddedConvTranspose1d(width, width // 2, kernel, rate, left=left, right=kernel - rate - left),
                Mean(*(residual_block(width // 2, reach, dilations, activation) for reach, dilations in units)),
            ]
            width //= 2
        layers += [activation(width), same_conv(width, 1, last_kernel), Each(nn.Tanh())]
        self.network = Chain(*layers)
        self.lookahead = self.network.lookahead

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        return self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return self.network.step(x.to(self.network.dtype), state, final)
