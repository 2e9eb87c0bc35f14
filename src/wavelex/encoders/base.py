"""What every encoder is."""

from __future__ import annotations

from wavelex.nn.streaming import Streaming


class Encoder(Streaming):
    """Samples (batch, channels, T) to latents (batch, dim, ceil(T / hop_length)); `lookahead` is in samples."""

    dim: int
    hop_length: int
    channels: int = 1
    """Of the signal: 1, or 2 which are coded together."""
    pads: bool = False
    """Whether it deals with the end of a signal itself, by the padding of published code. Otherwise silence follows the signal, so that
    an item of a padded batch gives what it gives alone."""
    streams: bool = True
    """Whether its look-ahead is bounded. One that needs the whole signal gives nothing before the end (`nn.whole.Whole`)."""
