"""How a signal is to be encoded: one value that the library, the command line and the benchmark share."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wavelex.errors import WavelexError
from wavelex.search.effort import DEFAULT_EFFORT, choose_effort
from wavelex.search.target import Quality, Target


@dataclass(frozen=True)
class EncodeOptions:
    """Rate, effort and the file that the codes are meant for.

    `codebooks` or `bitrate` (bits a second a stream, rounded down to what the codec has; also "1.5k") choose the rate; all codebooks
    unless given. Channels are mixed to one, or taken as the two of a stereo codec, unless `per_channel`, which codes each as a stream.
    `effort` from 0 (fastest) to 9 (best) is how long good codes are looked for. `target` is an average of bits a second a stream as
    written to a file (1200, "1.2k") or a Quality ("q4"), reached by giving each frame the codebooks it needs, up to the number chosen.
    `coding` (neural, context or packed; the smallest there is unless given) and `packet_seconds` (blocks of 4 s unless given) are those
    of the file.
    Raises WavelexError for values that no codec takes.
    """

    codebooks: int | None = None
    bitrate: float | str | None = None
    per_channel: bool = False
    effort: int = DEFAULT_EFFORT
    target: Target | str | None = None
    coding: str | None = None
    packet_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.codebooks is not None and self.bitrate is not None:
            raise WavelexError("give codebooks or a bit rate, not both")
        choose_effort(self.effort)
        object.__setattr__(self, "bitrate", parse_rate(self.bitrate, "bit rate"))
        object.__setattr__(self, "target", parse_target(self.target))

    @property
    def goal(self) -> Target | None:
        """The target, understood."""
        return parse_target(self.target)


def parse_rate(value: float | str | None, what: str, otherwise: str = "") -> float | None:
    """Bits a second from 1500, "1500", "1.5k" or "1.5kbps". Raises WavelexError for anything else."""
    if value is None:
        return None
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*(k?)(?:bps|bit/s)?\s*", f"{value}"[:40].lower())
    if not match:
        raise WavelexError(f"{what} {f'{value}'[:40]!r}: give bits a second, such as 1500 or 1.5k{otherwise}")
    return float(match[1]) * (1000 if match[2] else 1)


def parse_target(value: Target | str | None) -> Target | None:
    """An average rate from 1200 or "1.2k", or a quality from "q4". Raises WavelexError for anything else."""
    if isinstance(value, Quality):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*q[0-9]*\.?[0-9]+\s*", value.lower()):
        return Quality(float(value.strip()[1:]))
    return parse_rate(value, "target", ", or a quality such as q4")
