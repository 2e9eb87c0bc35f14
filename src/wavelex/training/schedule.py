"""The learning rate over a run."""

from __future__ import annotations

import math

from wavelex.training.settings import Settings


def rate_factor(settings: Settings, step: int, resumed_at: int = 0) -> float:
    """Share of the peak learning rate at `step`: cosine over the run, ramped up after each (re)start.

    `resumed_at` is the step at which the optimizer began without state, when a run continued from weights alone.
    """
    since = step - max(settings.stage_start(step), resumed_at)
    ramp = min(1.0, (since + 1) / max(1, settings.warmup))
    progress = min(1.0, step / max(1, settings.steps))
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return ramp * (settings.final_rate + (1 - settings.final_rate) * cosine)
