"""A decoder for segments of a signal, each for itself and at one level."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.decoders.base import Condition, Decoder
from wavelex.nn.level import scale_at
from wavelex.nn.streaming import State


class SegmentDecoder(Decoder):
    """Latents (batch, 1 + dim of `inner`, T) to samples (batch, channels, T * hop_length).

    The counterpart of `SegmentEncoder`: `inner` makes samples of each segment of `frames` frames, which are multiplied by what the level in
    its first channel stands for, the highest of the segment, as lost frames have none. Neighbours are not faded into each other.
    """

    pads = True

    def __init__(self, inner: Decoder, frames: int) -> None:
        super().__init__()
        self.inner, self.frames = inner, frames
        self.dim, self.hop_length, self.channels = inner.dim + 1, inner.hop_length, inner.channels
        self.lookahead = (frames - 1) * self.hop_length

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        return like.new_zeros(batch, self.dim, 0), condition

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        held, condition = state
        held = torch.cat([held.to(x.dtype), x], dim=2)
        ready = held.shape[2] if final else held.shape[2] // self.frames * self.frames
        samples = [self._decode(segment, condition) for segment in torch.split(held[..., :ready], self.frames, dim=2)] if ready else []
        return torch.cat([x.new_zeros(len(x), self.channels, 0), *samples], dim=2), (held[..., ready:], condition)

    def _decode(self, segment: Tensor, condition: Condition | None) -> Tensor:
        latents = segment[:, 1:]
        samples, _ = self.inner.step(latents, self.inner.initial_state(len(latents), latents, condition), final=True)
        return samples * scale_at(segment[:, :1].amax(dim=2, keepdim=True)).to(samples.dtype)
