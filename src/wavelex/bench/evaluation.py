"""Scoring clips through a codec or a peer: rate, quality and speed of each clip, and their means."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wavelex.audio import Audio, read_audio, resample
from wavelex.bench.alignment import find_delay, without_delay
from wavelex.bench.metrics.pesq import SAMPLE_RATE, pesq_wideband
from wavelex.bench.metrics.stoi import stoi
from wavelex.codec import Codec
from wavelex.errors import WavelexError

Transcoder = Callable[[Audio], tuple[Audio, float]]
"""Audio in, decoded audio and payload bits out."""


@dataclass(frozen=True)
class ClipScore:
    """One clip through one system. `pesq` and `stoi` are None where the metric refused; `error` then says why."""

    clip: str
    seconds: float
    bits: float
    speed: float
    """Seconds of audio coded and decoded a second."""
    delay: int
    """Samples at 16 kHz by which the decoded clip lagged; removed before scoring."""
    pesq: float | None
    stoi: float | None
    error: str = ""


def transcoder(codec: Codec, codebooks: int) -> Transcoder:
    """A codec at a rate as a transcoder; bits are those of the codes."""

    def run(audio: Audio) -> tuple[Audio, float]:
        tokens = codec.encode(audio, codebooks=codebooks)
        bits = tokens.codes.shape[2] * tokens.bitrate / tokens.frame_rate
        return codec.decode(tokens, SAMPLE_RATE), bits

    return run


def score_clip(name: str, audio: Audio, system: Transcoder, align: bool = False) -> tuple[ClipScore, Audio]:
    """Run one clip through a system at 16 kHz mono and score what comes back.

    `align` is for systems that delay their output: one constant delay is measured and removed. Ours keep time exactly.
    """
    mono = audio.mono()[None]
    original = Audio(resample(mono, audio.sample_rate, SAMPLE_RATE), SAMPLE_RATE)
    begun = time.perf_counter()
    decoded, bits = system(original)
    elapsed = time.perf_counter() - begun
    reference, heard = original.mono(), decoded.mono()
    delay = find_delay(reference, heard) if align else 0
    reference, heard = without_delay(reference, heard, delay)
    values: dict[str, float | None] = {}
    errors = []
    for metric, measure in (("pesq", pesq_wideband), ("stoi", stoi)):
        try:
            values[metric] = measure(reference, heard)
        except WavelexError as error:
            values[metric] = None
            errors.append(str(error))
    score = ClipScore(name, original.seconds, bits, original.seconds / elapsed, delay, values["pesq"], values["stoi"], "; ".join(errors))
    return score, decoded


def score_file(path: Path, system: Transcoder, align: bool = False) -> ClipScore:
    """`score_clip` of a file, without the audio."""
    return score_clip(str(path), read_audio(path), system, align)[0]


@dataclass(frozen=True)
class Summary:
    """Means over clips; the rate and speed over all their seconds."""

    system: str
    clips: int
    scored: int
    kbps: float
    pesq: float
    stoi: float
    speed: float

    def as_row(self) -> dict[str, object]:
        """Its fields for JSON, which has no NaN."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def summarize(system: str, scores: list[ClipScore]) -> Summary:
    """Means over the clips that every metric could score; the others are counted."""
    scored = [s for s in scores if s.pesq is not None and s.stoi is not None]
    seconds = sum(s.seconds for s in scores)
    return Summary(
        system,
        len(scores),
        len(scored),
        sum(s.bits for s in scores) / max(seconds, 1e-9) / 1000,
        _mean([s.pesq for s in scored if s.pesq is not None]),
        _mean([s.stoi for s in scored if s.stoi is not None]),
        seconds / max(sum(s.seconds / s.speed for s in scores if s.speed), 1e-9),
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
