"""Runs small enough for tests."""

from __future__ import annotations

from typing import Any

import torch
from conftest import TINY

from wavelex.designs import build, recipe
from wavelex.training.data import PackedAudio
from wavelex.training.recipe import with_steps
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer

NUMBERS: dict[str, Any] = {
    "options": {"adversarial": {"width": 8}},
    "batch": 3,
    "segment_seconds": 0.5,
    "warmup": 2,
    "kmeans_batches": 6,
    "precision": "float32",
}


def small_settings(autoencoder: int = 2, codes: int = 3, adversarial: int = 3, **values: Any) -> Settings:
    """Those of speech_16k with few steps and small discriminators."""
    stages = with_steps(recipe("speech_16k").stages, {"autoencoder": autoencoder, "codes": codes, "adversarial": adversarial})
    return Settings(stages, **{**NUMBERS, **values})


def make_trainer(audio: PackedAudio, settings: Settings | None = None, masked_groups: int = 0) -> Trainer:
    """Of a small speech_16k; every run of it with the same settings is the same run."""
    settings = settings or small_settings()
    torch.manual_seed(settings.seed)
    trainer = Trainer(build("speech_16k", {**TINY, "masked_groups": masked_groups}), settings, audio, torch.device("cpu"))
    with torch.no_grad():
        # Judgements beyond the hinge's margin: within it, real and fake pull a bias equally hard in opposite directions.
        for member in trainer.objectives["adversarial"].discriminators.members:
            member.judge.bias += 1.5
    return trainer
