"""A decoder that is streaming layers one after another."""

from __future__ import annotations

from torch import Tensor

from wavelex.decoders.base import Condition, Decoder
from wavelex.nn.streaming import Chain, State, Streaming


class LayeredDecoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, channels, T * hop_length), by layers that make a whole hop of samples of every latent.

    `pads` where the last latents are decoded without any after them; otherwise zeros follow, as many as the look-ahead. Raises ValueError
    for a hop that is not a whole number.
    """

    def __init__(self, dim: int, *layers: Streaming, pads: bool = False) -> None:
        super().__init__()
        self.network = Chain(*layers)
        if self.network.pace.numerator != 1:
            raise ValueError(f"layers that make a sample of {self.network.pace} latents make no decoder")
        self.dim, self.hop_length, self.lookahead, self.pads = dim, self.network.pace.denominator, self.network.lookahead, pads

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        return self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        return self.network.step(x.to(self.network.dtype), state, final)
