"""One training step and everything it owns: codec, objectives, optimizers, averages. Knows a design by its recipe only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wavelex.codec.model import CodecModel, stacked
from wavelex.errors import WavelexError
from wavelex.objectives import TERMS, Maker, make_objectives
from wavelex.objectives.base import Batch, Made, Objective, Teacher
from wavelex.training.averages import Averages
from wavelex.training.data import PackedAudio, draw_batch
from wavelex.training.precision import uses_bfloat16
from wavelex.training.prefixes import prefix_chances
from wavelex.training.recipe import Stage
from wavelex.training.schedule import rate_factor
from wavelex.training.settings import Settings


@dataclass
class Progress:
    """Where a run stands; stored with it."""

    step: int = 0
    skipped: int = 0
    samples_seen: int = 0
    resumed_at: int = 0
    best: float = float("-inf")
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all threads; what else a machine does is not in it."""


class Trainer:
    """Steps a codec through its stages. All randomness of a step comes from (seed, step), so resuming is exact."""

    def __init__(
        self,
        codec: CodecModel,
        settings: Settings,
        audio: PackedAudio,
        device: torch.device,
        teachers: Mapping[str, Teacher] | None = None,
        known: Mapping[str, Maker] = TERMS,
    ) -> None:
        """`teachers` give targets to the objectives by name; `known` says which objective gives a term.

        Raises WavelexError for objectives that cannot be made and for segments shorter than a frame.
        """
        self.codec, self.settings, self.audio, self.device = codec.to(device).train(), settings, audio, device
        self.teachers = dict(teachers or {})
        self.bfloat16 = uses_bfloat16(settings.precision, device)
        self.segment = segment_length(settings, codec)
        torch.manual_seed(settings.seed)
        made = make_objectives(settings.terms, codec.sample_rate, settings.options, self.bfloat16, known)
        self.objectives = {name: objective.to(device) for name, objective in made.items()}
        heads = [p for objective in self.objectives.values() for p in objective.heads()]
        self.learners = [*codec.parameters(), *heads]
        self.optimizer = _adamw(self.learners, settings.learning_rate, settings)
        self.critic_optimizers = {
            name: _adamw(_critic_parameters(objective), settings.discriminator_rate, settings)
            for name, objective in self.objectives.items()
            if objective.critics()
        }
        self.averages = Averages(codec, settings.ema)
        self.chances = torch.from_numpy(prefix_chances(settings.prefix_odds, codec.codebooks)).float()
        self.progress = Progress()

    def step(self) -> dict[str, float]:
        """One update on the next batch; gives the losses by name, or {} when the step was skipped for not being finite."""
        settings, progress = self.settings, self.progress
        torch.manual_seed(settings.seed * 1_000_003 + progress.step)
        stage, begin = settings.stage_at(progress.step)
        self._prepare(stage)
        if stage.start == "kmeans" and progress.step == begin and not self.codec.quantizer.started:
            self._start_codebooks()
        factor = rate_factor(settings, progress.step, progress.resumed_at)
        for optimizer in (self.optimizer, *self.critic_optimizers.values()):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        batch = self._batch(progress.step)
        losses = self._update(batch, stage)
        progress.step += 1
        progress.samples_seen += batch.samples.numel()
        if not losses:
            progress.skipped += 1
        return losses

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def hours(self) -> float:
        """Of audio that the run has seen."""
        return self.progress.samples_seen / self.codec.sample_rate / 3600

    def _prepare(self, stage: Stage) -> None:
        """What a stage does not train neither changes nor behaves as in training; gradients still pass through it."""
        for name in ("encoder", "quantizer", "decoder"):
            part, learns = getattr(self.codec, name), name in stage.train
            part.train(learns)
            part.requires_grad_(learns)
        for objective in self.objectives.values():
            objective.train()
            for head in objective.heads():
                head.requires_grad_("heads" in stage.train)

    def _update(self, batch: Batch, stage: Stage) -> dict[str, float]:
        # Codebooks learn in the forward pass; a step that turns out not to be finite must not have taught them.
        codebooks = {name: value.clone() for name, value in self.codec.quantizer.state_dict().items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            made = self.codec(batch.samples, self._prefixes(len(batch.samples)), stage.quantize == "yes")
        made = made._replace(samples=made.samples.float())
        losses, told = self._losses(made, batch, stage)
        total = torch.stack(list(losses.values())).sum() if losses else torch.zeros(())
        self.optimizer.zero_grad(set_to_none=True)
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.learners, self.settings.clip)
        if not (torch.isfinite(total) and torch.isfinite(norm)):
            self.codec.quantizer.load_state_dict(codebooks)
            return {}
        self.optimizer.step()
        self.averages.update(self.progress.step)
        report = {name: float(loss.detach()) for name, loss in losses.items()}
        return report | {"total": float(total.detach()), "gradient": float(norm)} | told

    def _losses(self, made: Made, batch: Batch, stage: Stage) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The weighted terms of a stage, and what critics, which learn first, were left with."""
        found: dict[str, Tensor] = {}
        told: dict[str, float] = {}
        with torch.no_grad():
            targets = {name: teacher.features(batch.samples) for name, teacher in self.teachers.items()}
        generator = torch.Generator(self.device).manual_seed(self.settings.seed * 1_000_003 + self.progress.step)
        for name, objective in self.objectives.items():
            if stage.adversarial and name in self.critic_optimizers:
                told[f"critics of {name}"] = self._teach_critics(name, objective, made, batch)
            if set(objective.terms) & set(stage.objectives):
                found |= objective(made, batch, targets, generator)
        return {term: weight * found[term] for term, weight in stage.objectives.items() if term in found}, told

    def _teach_critics(self, name: str, objective: Objective, made: Made, batch: Batch) -> float:
        loss, optimizer = objective.criticize(made, batch), self.critic_optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(_critic_parameters(objective), self.settings.clip)
        if torch.isfinite(norm):
            optimizer.step()
        return float(loss.detach())

    def _prefixes(self, batch: int) -> Tensor:
        return (torch.multinomial(self.chances, batch, replacement=True) + 1).to(self.device)

    def _batch(self, step: int) -> Batch:
        batch = draw_batch(self.audio, (self.settings.seed, step), self.settings.batch, self.segment)
        return Batch(batch.samples.to(self.device), batch.clips)

    @torch.no_grad()
    def _start_codebooks(self) -> None:
        """K-means on the latents of batches that training has not used."""
        found = []
        for index in range(self.settings.kmeans_batches):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                latents = self.codec.encoder(self._batch(self.settings.steps + index).samples).float()
            whole = latents.shape[2] - latents.shape[2] % self.codec.superframe
            found.append(stacked(latents[..., :whole], self.codec.superframe))
        self.codec.quantizer.start(torch.cat(found))

    def codebook_health(self) -> list[tuple[float, float]]:
        """Share of codes in use and perplexity of each codebook, from its running counts."""
        health = []
        for counts in self.codec.quantizer.usage():
            counts = counts.detach().cpu().double()
            share = counts / counts.sum()
            in_use = float((counts > 0.05 * counts.mean()).double().mean())
            entropy = -(share * share.clamp(min=1e-12).log()).sum()
            health.append((in_use, float(np.exp(float(entropy)))))
        return health


def segment_length(settings: Settings, codec: CodecModel) -> int:
    """Samples of a clip. Raises WavelexError for less than a frame."""
    length = int(settings.segment_seconds * codec.sample_rate)
    if length < codec.hop_length:
        least = codec.hop_length / codec.sample_rate
        raise WavelexError(f"setting segment_seconds is {settings.segment_seconds:g}; a frame alone has {least:g} seconds")
    return length


def _critic_parameters(objective: Objective) -> list[nn.Parameter]:
    return [p for critic in objective.critics() for p in critic.parameters()]


def _adamw(parameters: Iterable[nn.Parameter], rate: float, settings: Settings) -> torch.optim.AdamW:
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
