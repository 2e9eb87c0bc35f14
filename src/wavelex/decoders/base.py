"""What every decoder is, and what some need to know besides the latents."""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor

from wavelex.errors import WavelexError
from wavelex.nn.streaming import State, Streaming


@dataclass(frozen=True)
class Condition:
    """What a decoder may be given for a whole signal. Enters with `initial_state`, so streams carry it in their state."""

    speaker: Tensor | None = None
    """(batch, dim): a voice."""
    prompt: Tensor | None = None
    """(batch, dim, frames): latents of a recording to go on from."""
    text: Tensor | None = None
    """(batch, n) ids, -1 beyond the end of a shorter text."""
    codebooks: int | Tensor | None = None
    """How many codebooks the latents are made of, (batch,) where items differ; all of them unless given. `CodecModel` fills it in."""
    seed: int = 0
    """Of the noise of a decoder that draws some; noise depends on the seed and the absolute frame alone."""
    steps: int = 8
    """Of an iterative decoder."""
    guidance: float = 0.0
    """Weight of classifier-free guidance."""


class Decoder(Streaming):
    """Latents (batch, dim, T) to samples (batch, channels, T * hop_length); `lookahead` is in samples."""

    dim: int
    hop_length: int
    channels: int = 1
    """As of an `Encoder`."""
    pads: bool = False
    """As of an `Encoder`: whether the end of a signal is its own affair, or is followed by latents of zeros."""
    streams: bool = True
    """As of an `Encoder`: whether its look-ahead is bounded."""
    conditions: frozenset[str] = frozenset()
    """The fields of a `Condition` that it cannot do without."""

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        """State before the first chunk; see `Streaming`. The condition lives in it."""
        raise NotImplementedError(type(self).__name__)

    def check_condition(self, condition: Condition | None) -> None:
        """Raises WavelexError naming what is missing."""
        given = {field.name for field in fields(Condition) if condition and getattr(condition, field.name) is not None}
        if missing := sorted(self.conditions - given):
            raise WavelexError(f"this decoder needs a condition with {', '.join(missing)}; give decode a Condition")
