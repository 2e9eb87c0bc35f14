"""Everything that shapes a training run, as one value that is stored with it."""

from __future__ import annotations

from dataclasses import dataclass, field

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
