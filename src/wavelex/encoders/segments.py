"""An encoder for segments of a signal, each for itself and at one level."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.encoders.base import Encoder
from wavelex.nn.level import level_of, scale_of
from wavelex.nn.streaming import State


class SegmentEncoder(Encoder):
    """Samples (batch, channels, T) to latents (batch, 1 + dim of `inner`, ceil(T / hop_length)).

    Segments of `frames` frames lie side by side; the last one may be shorter. Each is divided by its root mean square and given to `inner`,
    which may look at all of it; the level in decibels (see `nn.level`) is the first channel of all its frames. Défossez et al., "EnCodec"
    (arXiv 2210.13438), section 3.2. The look-ahead is the rest of the segment.
    """

    pads = True

    def __init__(self, inner: Encoder, frames: int) -> None:
        super().__init__()
        if not 1 <= frames <= 1_000_000:
            raise ValueError(f"segments of {frames} frames; give 1 or more")
        self.inner, self.frames = inner, frames
        self.dim, self.hop_length, self.channels = inner.dim + 1, inner.hop_length, inner.channels
        self.lookahead = (frames - 1) * self.hop_length

    def initial_state(self, batch: int, like: Tensor) -> State:
        return like.new_zeros(batch, self.channels, 0)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        held = torch.cat([state, x], dim=2)
        length = self.frames * self.hop_length
        ready = held.shape[2] if final else held.shape[2] // length * length
        latents = [self._encode(segment) for segment in torch.split(held[..., :ready], length, dim=2)] if ready else []
        return torch.cat([x.new_zeros(len(x), self.dim, 0), *latents], dim=2), held[..., ready:]

    def _encode(self, segment: Tensor) -> Tensor:
        scale = scale_of(segment)
        latents = self.inner(segment / scale)
        return torch.cat([level_of(scale).to(latents.dtype).expand(-1, 1, latents.shape[2]), latents], dim=1)
