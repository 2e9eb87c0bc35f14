"""What every decoder is."""

from __future__ import annotations

from wavelex.nn.streaming import Streaming


class Decoder(Streaming):
    """Latents (batch, dim, T) to samples (batch, 1, T * hop_length); `lookahead` is in samples."""

    dim: int
    hop_length: int
