"""An encoder that is streaming layers one after another."""

from __future__ import annotations

from torch import Tensor

from wavelex.encoders.base import Encoder
from wavelex.nn.streaming import Chain, State, Streaming


class LayeredEncoder(Encoder):
    """Samples (batch, channels, T) to latents (batch, dim, ceil(T / hop_length)), by layers whose strides multiply to a whole hop.

    `pads` where the layers themselves complete the last frame of a signal; otherwise silence does. Raises ValueError for a hop that is not
    a whole number.
    """

    def __init__(self, dim: int, *layers: Streaming, pads: bool = False) -> None:
        super().__init__()
        self.network = Chain(*layers)
        if self.network.pace.denominator != 1:
            raise ValueError(f"layers that take {self.network.pace} samples a frame make no encoder")
        self.dim, self.hop_length, self.lookahead, self.pads = dim, int(self.network.pace), self.network.lookahead, pads

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return self.network.step(x.to(self.network.dtype), state, final)
