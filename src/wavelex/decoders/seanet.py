"""SEANet decoder: the SEANet encoder mirrored, with transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from wavelex.decoders.base import Condition, Decoder
from wavelex.nn.combine import Each
from wavelex.nn.recurrent import LSTM
from wavelex.nn.seanet import SEANetLayers
from wavelex.nn.streaming import Chain, State, Streaming


class SEANetDecoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, channels, T * hop_length).

    Zeghidour et al., "SoundStream" (arXiv 2107.03312), section III-B; Défossez et al., "EnCodec" (arXiv 2210.13438). The arguments are
    those of the encoder that it mirrors: the last of its `strides` comes first here, `last_kernel` is that of the samples.
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
        causal: bool = True,
        padding: str = "reflect",
        norm: bool = False,
        channels: int = 1,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length, self.channels = dim, math.prod(strides), channels
        self.streams = not norm
        make = SEANetLayers(causal, padding, norm)
        width = filters * 2 ** len(strides)
        layers: list[Streaming] = [make.conv(dim, width, kernel)]
        if lstm:
            layers.append(LSTM(width, lstm))
        for stride in reversed(strides):
            layers += [Each(nn.ELU()), make.up(width, width // 2, stride)]
            width //= 2
            layers += [make.residual(width, residual_kernel, dilation_base**j, compress, shortcut) for j in range(residual_layers)]
        layers += [Each(nn.ELU()), make.conv(width, channels, last_kernel)]
        self.network = Chain(*layers)
        # A step of the first layer is a hop of samples.
        self.lookahead = self.network.lookahead

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        return self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return self.network.step(x.to(self.network.dtype), state, final)
