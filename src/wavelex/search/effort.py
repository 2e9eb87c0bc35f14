"""How hard the encoder looks for good codes. The bitstream and the decoder are the same at every level."""

from __future__ import annotations

from dataclasses import dataclass

from wavelex.errors import WavelexError


@dataclass(frozen=True)
class Effort:
    """What a level does. Each one does all that the level below does and keeps what is better."""

    beams: tuple[int, ...]
    """Widths of the beams over the residual codebooks where bits are not looked at; the nearest of what they find is taken."""
    priced: tuple[int, ...] = ()
    """Widths of the beams that weigh nearness against bits, where there is a neural prior to tell them."""
    steps: tuple[float, ...] = ()
    """Lengths to try along the gradient of a perceptual loss, each judged through the decoder."""
    rounds: tuple[int, ...] = ()
    """Refinements of the latents by gradient through quantizer and decoder, counted at each point where codes are chosen."""

    @property
    def synthesizes(self) -> bool:
        """Whether candidates are judged by what the decoder makes of them, which needs the samples and a look ahead."""
        return bool(self.steps)


_BEAMS = (1, 4, 8, 16)
_PRICED = (4, 8)
_STEPS = (0.05, 0.1, 0.2)
_ROUNDS = (5, 10, 20, 40, 80)
LEVELS = (
    Effort(_BEAMS[:1]),
    Effort(_BEAMS[:2]),
    Effort(_BEAMS[:3], _PRICED[:1]),
    Effort(_BEAMS, _PRICED),
    *(Effort(_BEAMS, _PRICED, _STEPS, _ROUNDS[:count]) for count in range(len(_ROUNDS) + 1)),
)
DEFAULT_EFFORT = 2
STREAMING_EFFORT = 3
"""The highest level that adds no latency."""


def choose_effort(level: int) -> Effort:
    """Raises WavelexError for a level that there is not."""
    if not 0 <= level < len(LEVELS):
        raise WavelexError(f"effort {level}: give 0 (fastest) to {len(LEVELS) - 1} (best)")
    return LEVELS[level]
