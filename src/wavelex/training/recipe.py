"""What a run does in which order, as plain data: stages with the parts that they train and the terms that they minimise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wavelex.errors import WavelexError

PARTS = frozenset({"encoder", "quantizer", "decoder", "heads"})
"""What a stage can train; heads are the parameters of objectives."""


@dataclass(frozen=True)
class Stage:
    """A number of steps with the same parts and terms; one of 0 steps is left out. Raises WavelexError for values that cannot be."""

    name: str
    steps: int
    objectives: Mapping[str, float]
    """How much each term counts, by its name in `wavelex.objectives.TERMS`."""
    train: frozenset[str] = PARTS
    """The parts that learn. The others stay as they are, codebooks included."""
    quantize: str = "yes"
    """Whether the decoder is given codes (`yes`) or the latents themselves (`no`)."""
    adversarial: bool = False
    """Whether discriminators learn."""
    start: str = ""
    """`kmeans` places codebooks that hold nothing yet on the latents of fresh batches when the stage begins."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "train", frozenset(self.train))
        object.__setattr__(self, "objectives", dict(self.objectives))
        if not isinstance(self.name, str) or not self.name:
            raise WavelexError(f"stage {self.name!r}: give it a name")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 0:
            raise WavelexError(f"stage {self.name}: {self.steps!r} steps; give 0 or more")
        if unknown := self.train - PARTS:
            raise WavelexError(f"stage {self.name}: cannot train {', '.join(map(str, unknown))}; choose from {', '.join(sorted(PARTS))}")
        for given, known in ((self.quantize, ("no", "yes")), (self.start, ("", "kmeans")), (self.adversarial, (False, True))):
            if given not in known:
                raise WavelexError(f"stage {self.name}: {given!r} is none of {', '.join(map(repr, known))}")
        for term, weight in self.objectives.items():
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight):
                raise WavelexError(f"stage {self.name}: the weight of {term} is {weight!r}; give a number")
        if not (self.objectives or self.adversarial) or not (self.train or self.adversarial):
            raise WavelexError(f"stage {self.name}: trains nothing; name objectives and parts")


@dataclass(frozen=True)
class Recipe:
    """How a design is trained."""

    stages: tuple[Stage, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arguments of objectives, by a term that they give."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else the design wants other than `Settings` has it."""


def stored_stages(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """As plain JSON values, which `Stage` takes back."""
    return [{**asdict(stage), "train": sorted(stage.train)} for stage in stages]


def with_steps(stages: tuple[Stage, ...], steps: Mapping[str, int]) -> tuple[Stage, ...]:
    """The stages with other numbers of steps, by name. Raises WavelexError for a name that no stage has."""
    if unknown := sorted(set(steps) - {stage.name for stage in stages}):
        raise WavelexError(f"there is no stage {', '.join(unknown)}; the stages are {', '.join(stage.name for stage in stages)}")
    return tuple(replace(stage, steps=steps.get(stage.name, stage.steps)) for stage in stages)
