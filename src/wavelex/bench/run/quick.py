"""PESQ and STOI of one recording through one codec, for commands that show them beside their work."""

from __future__ import annotations

import time
from dataclasses import dataclass

from wavelex.audio.resampling import resample
from wavelex.audio.samples import Audio
from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE
from wavelex.metrics.pesq import pesq
from wavelex.metrics.stoi import stoi
from wavelex.search.effort import DEFAULT_EFFORT
from wavelex.search.target import Target


@dataclass(frozen=True)
class Quick:
    """`pesq` and `stoi` are None where the metric refused; `refusal` then says why. `speed` counts times real time."""

    decoded: Audio
    kbps: float
    speed: float
    pesq: float | None
    stoi: float | None
    refusal: str


def there_and_back(codec: Codec, audio: Audio, codebooks: int, effort: int = DEFAULT_EFFORT, target: Target | None = None) -> Quick:
    """Encode and decode a recording as 16 kHz mono and score what comes back; nothing is shifted, our codecs keep time."""
    mono = Audio(resample(audio.mono()[None], audio.sample_rate, SAMPLE_RATE), SAMPLE_RATE)
    begun = time.perf_counter()
    tokens = codec.encode(mono, codebooks=codebooks, effort=effort, target=target)
    decoded = codec.decode(tokens)
    elapsed = time.perf_counter() - begun
    found = scores(mono, decoded)
    kbps = 8e-3 * len(tokens.to_bytes()) / max(tokens.seconds, 1e-9)
    return Quick(decoded, kbps, mono.seconds / elapsed, *found)


def scores(original: Audio, decoded: Audio) -> tuple[float | None, float | None, str]:
    """PESQ and STOI of the mono mixes at 16 kHz, None where the metric refused, and why it did."""
    mono, heard = (resample(audio.mono()[None], audio.sample_rate, SAMPLE_RATE)[0] for audio in (original, decoded))
    found: list[float | None] = []
    refusals = []
    for measure in (pesq, stoi):
        try:
            found.append(measure(mono, heard))
        except WavelexError as error:
            found.append(None)
            refusals.append(str(error))
    return found[0], found[1], "; ".join(refusals)
