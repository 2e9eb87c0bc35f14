"""Everything that shapes a training run, as one value that is stored with it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

from wavelex.errors import WavelexError
from wavelex.objectives.reconstruction import ReconstructionWeights


@dataclass(frozen=True)
class Settings:
    """Three stages in order: without codes, with codes, with discriminators. A stage of 0 steps is left out."""

    autoencoder_steps: int = 3000
    code_steps: int = 18000
    adversarial_steps: int = 0
    batch: int = 12
    segment_seconds: float = 1.0
    learning_rate: float = 1.5e-3
    final_rate: float = 0.02
    """Share of the learning rate left at the end of the cosine."""
    warmup: int = 200
    """Steps of warm-up at the start, at each stage, and after resuming from weights alone."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.998
    commitment: float = 1.0
    prefix_odds: tuple[float, ...] = (0.10, 0.20, 0.10, 0.15, 0.05, 0.05, 0.05, 0.30)
    """Chance that a clip is coded with 1, 2, ... codebooks (quantizer dropout)."""
    reconstruction: ReconstructionWeights = field(default_factory=ReconstructionWeights)
    adversarial_weight: float = 0.05
    feature_weight: float = 0.3
    discriminator_rate: float = 3e-4
    discriminator_windows: tuple[int, ...] = (256, 512, 1024)
    kmeans_batches: int = 40
    seed: int = 0
    bfloat16: bool = True
    evaluate_every: int = 1000
    save_every: int = 250
    log_every: int = 50

    def __post_init__(self) -> None:
        """Raises WavelexError for values that no run can have."""
        counts = ("autoencoder_steps", "code_steps", "adversarial_steps", "warmup", "seed")
        positive = ("batch", "segment_seconds", "learning_rate", "clip", "kmeans_batches", "evaluate_every", "save_every", "log_every")
        for name in (*counts, *positive):
            value, least = getattr(self, name), "0 or more" if name in counts else "more than 0"
            if value < 0 or (name in positive and not value):
                raise WavelexError(f"setting {name} is {value}; it must be {least}")
        if not self.prefix_odds or min(self.prefix_odds) < 0 or not sum(self.prefix_odds):
            raise WavelexError(f"setting prefix_odds is {self.prefix_odds}; give a chance for each number of codebooks")
        windows = {*self.reconstruction.mel_bands, *self.reconstruction.complex_windows}
        if not windows.issuperset(self.discriminator_windows):
            raise WavelexError(f"setting discriminator_windows is {self.discriminator_windows}; choose from the losses' {sorted(windows)}")

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def changed(self, text: str) -> Settings:
        """These settings with those of a JSON object, as `to_json` writes it or a part of it.

        Raises WavelexError for what is not a JSON object, unknown names and values that do not fit.
        """
        try:
            values = json.loads(text)
            weights = values.pop("reconstruction", {})
            if "mel_bands" in weights:
                weights["mel_bands"] = {int(window): int(count) for window, count in weights["mel_bands"].items()}
            if "complex_windows" in weights:
                weights["complex_windows"] = tuple(weights["complex_windows"])
            for name in ("betas", "prefix_odds", "discriminator_windows"):
                if name in values:
                    values[name] = tuple(values[name])
            return replace(self, **values, reconstruction=replace(self.reconstruction, **weights))
        except (ValueError, TypeError, AttributeError) as error:
            raise WavelexError(f"not usable as settings: {error}") from error

    @property
    def steps(self) -> int:
        return self.autoencoder_steps + self.code_steps + self.adversarial_steps

    def stage_start(self, step: int) -> int:
        """The step at which the stage of `step` began."""
        starts = (0, self.autoencoder_steps, self.autoencoder_steps + self.code_steps)
        return max(start for start in starts if start <= step)

    def quantizes(self, step: int) -> bool:
        return step >= self.autoencoder_steps

    def is_adversarial(self, step: int) -> bool:
        return step >= self.autoencoder_steps + self.code_steps
