"""What every encoder is."""

from __future__ import annotations

from wavelex.nn.streaming import Streaming


class Encoder(Streaming):
    """Samples (batch, 1, T) to latents (batch, dim, ceil(T / hop_length)); `lookahead` is in samples."""

    dim: int
    hop_length: int
