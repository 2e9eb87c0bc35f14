"""SEANet encoder: residual units and strided convolutions over the samples, then recurrence over the frames."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.encoders.base import Encoder
from wavelex.nn.combine import Each
from wavelex.nn.recurrent import LSTM, BiLSTM
from wavelex.nn.seanet import SEANetLayers
from wavelex.nn.streaming import Chain, State, Streaming
from wavelex.nn.whole import Whole


class SEANetEncoder(Encoder):
    """Samples (batch, channels, T) to latents (batch, dim, ceil(T / hop_length)), where the hop is the product of the `strides`.

    Zeghidour et al., "SoundStream" (arXiv 2107.03312), section III-A; with `lstm` recurrent layers and the padding of Défossez et al.,
    "EnCodec" (arXiv 2210.13438). Each of the `strides`, in the order in which samples pass them, doubles the `filters`; before it are
    `residual_layers` units with dilations 1, dilation_base, dilation_base^2, ... Causal ones look ahead by nothing, others by half of
    what they see; with `norm` (see `SEANetLayers`), or recurrence in both directions, the whole signal is needed.
    """

    pads = True

    def __init__(
        self,
        dim: int = 128,
        filters: int = 32,
        strides: Sequence[int] = (2, 4, 5, 8),
        kernel: int = 7,
        last_kernel: int = 7,
        residual_kernel: int = 3,
        residual_layers: int = 1,
        dilation_base: int = 2,
        compress: int = 2,
        shortcut: bool = True,
        lstm: int = 2,
        bidirectional: bool = False,
        causal: bool = True,
        padding: str = "reflect",
        norm: bool = False,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length, self.channels = dim, math.prod(strides), channels
        self.streams = not (norm or (lstm and bidirectional))
        make = SEANetLayers(causal, padding, norm)
        layers: list[Streaming] = [make.conv(channels, filters, kernel)]
        width = filters
        for stride in strides:
            layers += [make.residual(width, residual_kernel, dilation_base**j, compress, shortcut) for j in range(residual_layers)]
            layers += [Each(nn.ELU()), make.conv(width, 2 * width, 2 * stride, stride)]
            width *= 2
        if lstm and bidirectional:
            layers.append(Whole(BiLSTM(width, lstm), 2 * width))
            width *= 2
        elif lstm:
            layers.append(LSTM(width, lstm))
        layers += [Each(nn.ELU()), make.conv(width, dim, last_kernel)]
        self.network = Chain(*layers)
        self.lookahead = self.network.lookahead

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return self.network.step(x.to(self.network.dtype), state, final)
