"""The rules that hold for every entrant, whatever its own recipe says."""

from __future__ import annotations

import math
from typing import Any

from wavelex.errors import WavelexError
from wavelex.training.recipe import Stage
from wavelex.training.settings import Settings

SAMPLE_RATE = 16_000
"""Of every design's small preset."""
BATCH, SEGMENT_SECONDS = 8, 1.0
WITHOUT_CODES = 0.15
"""Share of the steps before codes are used, which are cheaper."""
DISTANCES = {"mel": 1.0, "complex": 8.0, "loudness": 1.5, "level": 0.5}
SECONDS_A_STEP = BATCH * SEGMENT_SECONDS


def common_settings(hours: float, **values: Any) -> Settings:
    """What every entrant is trained with, whatever its own recipe says, so that it hears `hours` of audio; `values` for others.

    Raises WavelexError for a time that cannot be.
    """
    steps = round(hours * 3600 / SECONDS_A_STEP) if math.isfinite(hours) else 0
    if steps < 2:
        raise WavelexError(
            f"--hours {hours:g}: is no training; a step hears {SECONDS_A_STEP:g} s, so give {2 * SECONDS_A_STEP / 3600:.4f} or more"
        )
    first = max(1, round(WITHOUT_CODES * steps))
    stages = (
        Stage("autoencoder", first, DISTANCES, quantize="no"),
        Stage("codes", steps - first, {**DISTANCES, "commitment": 1.0}, start="kmeans"),
    )
    numbers: dict[str, Any] = {
        "batch": BATCH,
        "segment_seconds": SEGMENT_SECONDS,
        "learning_rate": 5e-4,
        "schedule": "constant",
        "decay_share": 0.2,
        "warmup": max(1, steps // 20),
        "precision": "float32",
        "save_every": 100,
    }
    return Settings(stages, **{**numbers, **values})


def hours_heard(settings: Settings, steps: int) -> float:
    """Of audio, in so many steps."""
    return steps * settings.batch * settings.segment_seconds / 3600
