"""The learning rate over a run."""

from __future__ import annotations

import math

from wavelex.training.settings import Settings


def rate_factor(settings: Settings, step: int, resumed_at: int = 0) -> float:
    """Share of the peak learning rate at `step`, ramped up after each (re)start; see `Settings.schedule`.

    `resumed_at` is the step at which the optimizer began without state, when a run continued from weights alone.
    A rate that is constant until its end is that of Hägele et al., "Scaling laws and compute-optimal training beyond fixed training
    durations" (arXiv 2405.18392).
    """
    since = step - max(settings.stage_at(step)[1], resumed_at)
    ramp = min(1.0, (since + 1) / max(1, settings.warmup))
    progress = min(1.0, step / max(1, settings.steps))
    if settings.schedule == "exponential":
        return ramp * float(settings.final_rate**progress)
    if settings.schedule == "cosine":
        left = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        left = min(1.0, (1 - progress) / settings.decay_share) if settings.decay_share else 1.0
    return ramp * (settings.final_rate + (1 - settings.final_rate) * left)
