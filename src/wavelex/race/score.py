"""What the trained weights make of recordings that nobody was trained on, through the benchmark, near the same bit rates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wavelex.audio.reading import read_audio
from wavelex.audio.recordings import Recording
from wavelex.bench.run.benchmark import Progress, run
from wavelex.bench.run.conditions import choose as choose_conditions
from wavelex.bench.run.results import Results
from wavelex.bench.systems.own import Own, own
from wavelex.bench.systems.system import Original, at_rate
from wavelex.codec.codec import Codec
from wavelex.codec.hub import load
from wavelex.codec.model import CodecModel
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Metric
from wavelex.race.entrants import Entrant
from wavelex.race.laps import Standing
from wavelex.training.run import LATEST

RATES = (750.0, 1500.0, 3000.0, 6000.0)
"""Bits a second below which codecs are compared."""
SLACK = 1.005
"""A frame rate that no whole number of samples gives at 16 kHz is met within this."""
EFFORT = 0
TIMED_SECONDS = 10
TURNS = 2


@dataclass(frozen=True)
class Way:
    """An entrant with some of its codebooks."""

    entrant: Entrant
    codebooks: int
    bitrate: float
    """Nominal bits a second."""
    rate: float
    """Which of RATES that comes nearest below, or infinity."""


@dataclass(frozen=True)
class Scores:
    """What there is to tell of the entrants that have codes."""

    results: Results
    ways: dict[str, Way]
    """By the system's name in the results."""
    speeds: dict[str, float]
    """By entrant: times real time."""
    failures: dict[str, str] = field(default_factory=dict)
    """By entrant: why it could not be scored."""


def counts_near(model: CodecModel) -> dict[int, float]:
    """Numbers of codebooks whose nominal rates come nearest below RATES, and which of these that is.

    A codec that has no more bits is not listed again at the higher ones; one whose first codebook is above them all is listed with that.
    """
    found: dict[int, float] = {}
    for rate in RATES:
        below = [count for count in range(1, model.codebooks + 1) if model.bitrate(count) <= rate * SLACK]
        if below and below[-1] not in found:
            found[below[-1]] = rate
    return found or {1: float("inf")}


def coding_speed(codec: Codec, samples: np.ndarray) -> float:
    """Times real time of encoding and decoding samples (T,) at 16 kHz, by the CPU time of all threads; the best of two after a warm-up."""
    taken = []
    for turn in range(TURNS + 1):
        # What is made on first use does not count, and takes no long signal.
        given = samples if turn else samples[:SAMPLE_RATE]
        begun = time.process_time()
        codec.decode(codec.encode(given, SAMPLE_RATE, effort=EFFORT))
        taken.append(time.process_time() - begun)
    return len(samples) / SAMPLE_RATE / max(min(taken[1:]), 1e-9)


def score(
    out: Path,
    standings: Sequence[Standing],
    recordings: Sequence[Recording],
    metrics: tuple[Metric, ...],
    progress: Progress,
) -> Scores:
    """Code the recordings with what every entrant has learned so far, and measure what comes back; one clip at a time.

    Raises WavelexError where no entrant has codes, and as the benchmark does.
    """
    ready = [standing.entrant for standing in standings if standing.has_codes]
    systems: list[Own] = []
    ways: dict[str, Way] = {}
    speeds: dict[str, float] = {}
    failures: dict[str, str] = {}
    audio = read_audio(recordings[0].path)
    clip = np.resize(at_rate(audio.mono(), audio.sample_rate, SAMPLE_RATE), TIMED_SECONDS * SAMPLE_RATE)
    if ready:
        progress.begin("timing", len(ready))
    for entrant in ready:
        weights = out / entrant.name / LATEST
        try:
            codec = load(weights)
            near = counts_near(codec.model)
            entered = own(str(weights), list(near), [EFFORT])
            speeds[entrant.name] = coding_speed(codec, clip)
        except OSError:
            raise
        except Exception as error:
            failures[entrant.name] = " ".join(f"{error}".split()) or type(error).__name__
        else:
            systems += entered
            for system in entered:
                bitrate = codec.model.bitrate(system.codebooks)
                ways[system.name] = Way(entrant, system.codebooks, bitrate, near[system.codebooks])
        progress.advance(1)
    if not systems:
        raise WavelexError("no entrant has codes that could be scored; train further, with more --hours or another lap")
    conditions = choose_conditions("clean")
    cache = out / "cache" / "bench.sqlite"
    results, _ = run(recordings, [Original(), *systems], metrics, conditions, cache, 1, False, progress, {}, gallery=False)
    return Scores(results, ways, speeds, failures)
