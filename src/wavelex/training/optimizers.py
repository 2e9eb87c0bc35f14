"""AdamW as a run uses it, for the codec and for each objective's critics."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from wavelex.objectives.base import Objective
from wavelex.training.settings import Settings


def critic_parameters(objective: Objective) -> list[nn.Parameter]:
    """All that an objective's critics learn."""
    return [p for critic in objective.critics() for p in critic.parameters()]


def adamw(parameters: Iterable[nn.Parameter], rate: float, settings: Settings) -> torch.optim.AdamW:
    """AdamW with decay on matrices and convolutions only; `peak` is what the schedule scales."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=settings.betas, weight_decay=0.0)
    for group in optimizer.param_groups:
        group["peak"] = rate
    return optimizer
