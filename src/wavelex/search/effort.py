"""How hard the encoder looks for good codes. The bitstream and the decoder are the same at every level."""

from __future__ import annotations

from dataclasses import dataclass

from wavelex.errors import WavelexError


@dataclass(frozen=True)
class Effort:
    """What a level does. Each one does all that the level below does and keeps what is better."""

    beams: tuple[int, ...]
    """Widths of the beams over the residual codebooks; the nearest of what they find is taken, frame by frame."""
    steps: tuple[float, ...] = ()
    """Lengths to try along the gradient of a perceptual loss, each judged through the decoder."""
    iterations: int = 0
    """Refinements of the latents by gradient through quantizer and decoder."""

    @property
    def synthesizes(self) -> bool:
        """Whether candidates are judged by what the decoder makes of them, which needs the samples and a look ahead."""
        return bool(self.steps)


_BEAMS = (1, 4, 8, 16)
_STEPS = (0.05, 0.1, 0.2)
LEVELS = (
    *(Effort(_BEAMS[: level + 1]) for level in range(len(_BEAMS))),
    *(Effort(_BEAMS, _STEPS, iterations) for iterations in (0, 5, 10, 20, 40, 80)),
)
DEFAULT_EFFORT = 2
STREAMING_EFFORT = len(_BEAMS) - 1
"""The highest level that adds no latency."""


def choose_effort(level: int) -> Effort:
    """Raises WavelexError for a level that there is not."""
    if not 0 <= level < len(LEVELS):
        raise WavelexError(f"effort {level}: give 0 (fastest) to {len(LEVELS) - 1} (best)")
    return LEVELS[level]
