"""Everything that shapes a training run, as one value that is stored with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wavelex.errors import WavelexError
from wavelex.training.precision import PRECISIONS
from wavelex.training.recipe import Recipe, Stage, stored_stages

SCHEDULES = ("cosine", "constant", "exponential")


@dataclass(frozen=True)
class Settings:
    """The stages in their order, and the numbers that hold for all of them."""

    stages: tuple[Stage, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arguments of objectives, by a term that they give."""
    batch: int = 12
    """Clips of one pass through the codec; a step has so many in each process, `accumulate` times."""
    accumulate: int = 1
    """Batches of a step, one after the other, whose gradients are averaged: more clips than the memory holds."""
    balance: bool = False
    """Whether weights of terms are shares of the gradient at the decoded samples; see `Balancer`."""
    compile: bool = False
    """Whether the codec is compiled by `torch.compile`, which takes minutes at first."""
    segment_seconds: float = 1.0
    learning_rate: float = 1.5e-3
    schedule: str = "cosine"
    """`cosine` falls over the whole run, `exponential` too, by the same share in every step; `constant` stays at the peak until
    `decay_share` is left, so a run may go on at will."""
    decay_share: float = 0.0
    """Share of the run at its end over which a constant rate falls in a straight line; 0 for never."""
    final_rate: float = 0.02
    """Share of the learning rate that is left at the end."""
    warmup: int = 200
    """Steps of warm-up at the start, at each stage, and after resuming from weights alone."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of a gradient, of the codec and of the discriminators."""
    ema: float = 0.998
    prefix_odds: tuple[float, ...] = (0.10, 0.20, 0.10, 0.15, 0.05, 0.05, 0.05, 0.30)
    """Chance that a clip is coded with 1, 2, ... codebooks (quantizer dropout); see `prefix_chances` for other numbers of them."""
    discriminator_rate: float = 3e-4
    kmeans_batches: int = 40
    seed: int = 0
    precision: str = "auto"
    """Of the networks: `float32`, `bfloat16`, or the latter where the machine computes in it (`auto`). Losses are in float32."""
    evaluate_every: int = 1000
    save_every: int = 250
    log_every: int = 50

    def __post_init__(self) -> None:
        """Raises WavelexError for values that no run can have."""
        whole = ("batch", "accumulate", "warmup", "kmeans_batches", "seed", "evaluate_every", "save_every", "log_every")
        zero = ("warmup", "seed", "weight_decay", "decay_share", "final_rate", "ema")
        shares = ("decay_share", "final_rate", "ema")
        numbers = ("segment_seconds", "learning_rate", "weight_decay", "clip", "discriminator_rate", *shares)
        for name in (*whole, *numbers):
            value = getattr(self, name)
            if not _is_number(value) or (name in whole and not isinstance(value, int)):
                raise WavelexError(f"setting {name} is {value!r}; give a {'whole ' if name in whole else ''}number")
            if value < 0 or (name not in zero and not value):
                raise WavelexError(f"setting {name} is {value}; it must be {'0 or more' if name in zero else 'more than 0'}")
            if name in shares and value > 1:
                raise WavelexError(f"setting {name} is {value}; it is a share, from 0 to 1")
        for name in ("balance", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise WavelexError(f"setting {name} is {getattr(self, name)!r}; give true or false")
        if len(self.betas) != 2 or not all(_is_number(beta) and 0 <= beta < 1 for beta in self.betas):
            raise WavelexError(f"setting betas is {list(self.betas)}; give two numbers from 0 to below 1")
        if not self.prefix_odds or not all(_is_number(odd) and odd >= 0 for odd in self.prefix_odds) or not sum(self.prefix_odds):
            raise WavelexError(f"setting prefix_odds is {list(self.prefix_odds)}; give a chance for each number of codebooks")
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise WavelexError(f"setting {name} is {getattr(self, name)!r}; choose from {', '.join(known)}")
        if self.schedule == "exponential" and not self.final_rate:
            raise WavelexError("setting final_rate is 0, which an exponential schedule never reaches; give more than 0")
        if not self.steps:
            raise WavelexError("setting stages has no steps; give a stage some")

    @classmethod
    def of(cls, recipe: Recipe, **values: Any) -> Settings:
        """Those of a recipe; `values` come before the recipe's own."""
        return cls(recipe.stages, recipe.options, **{**recipe.settings, **values})

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> Settings:
        """What `to_json` wrote. Raises WavelexError as `changed` does."""
        try:
            return cls(**_settings(values))
        except (ValueError, TypeError, AttributeError) as error:
            raise WavelexError(f"not usable as settings: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "stages": stored_stages(self.stages)}

    def changed(self, text: str) -> Settings:
        """These settings with those of a JSON object, as `to_json` gives it or a part of it.

        Raises WavelexError for what is not a JSON object, unknown names and values that do not fit.
        """
        try:
            return replace(self, **_settings(json.loads(text)))
        except (ValueError, TypeError, AttributeError) as error:
            raise WavelexError(f"not usable as settings: {error}") from error

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    @property
    def terms(self) -> list[str]:
        """Of all stages, those of 0 steps too, so that a run may be given more steps later."""
        return list(dict.fromkeys(term for stage in self.stages for term in stage.objectives))

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage of a step, the last one after the end, and the step at which it began."""
        begin, found = 0, (self.stages[0], 0)
        for stage in self.stages:
            if stage.steps and begin <= step:
                found = stage, begin
            begin += stage.steps
        return found

    @property
    def first_with_codes(self) -> int:
        """The step at which codes are first used."""
        begin = 0
        for stage in self.stages:
            if stage.quantize == "yes":
                break
            begin += stage.steps
        return begin


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values.items())
    for name in ("betas", "prefix_odds"):
        if name in found:
            found[name] = tuple(found[name])
    if "stages" in found:
        found["stages"] = tuple(Stage(**stage) for stage in found["stages"])
    return found
