"""One training step and everything it owns: codec, objectives, optimizers, averages. Knows a design by its recipe only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wavelex.codec.model import CodecModel, stacked
from wavelex.errors import WavelexError
from wavelex.objectives import TERMS, Maker, make_objectives
from wavelex.objectives.base import Batch, Made, Objective, Teacher
from wavelex.training.averages import Averages
from wavelex.training.balancer import Balancer
from wavelex.training.data import PackedAudio, draw_batch, memory_for_audio
from wavelex.training.distributed import ALONE, Ranks
from wavelex.training.optimizers import adamw, critic_parameters
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
    """Steps a codec through its stages. All randomness of a step comes from (seed, step), so resuming is exact.

    A step is on `settings.batch` clips, `settings.accumulate` times over and in every process; the processes end it with the same weights.
    """

    def __init__(
        self,
        codec: CodecModel,
        settings: Settings,
        audio: PackedAudio,
        device: torch.device,
        teachers: Mapping[str, Teacher] | None = None,
        known: Mapping[str, Maker] = TERMS,
        ranks: Ranks = ALONE,
    ) -> None:
        """`teachers` give targets to the objectives by name; `known` says which objective gives a term; `ranks` are the processes.

        Raises WavelexError for objectives that cannot be made and for segments shorter than a frame.
        """
        self.codec, self.settings, self.audio, self.device = codec.to(device).train(), settings, audio, device
        self.teachers, self.ranks = dict(teachers or {}), ranks
        self.bfloat16 = uses_bfloat16(settings.precision, device)
        self.segment = segment_length(settings, codec)
        torch.manual_seed(settings.seed)
        made = make_objectives(settings.terms, codec.sample_rate, settings.options, self.bfloat16, known)
        self.objectives = {name: objective.to(device) for name, objective in made.items()}
        for module in (codec, *self.objectives.values()):
            ranks.same(module.state_dict().values())
        ranks.share_codebooks(codec)
        audio.hold(device, memory_for_audio(device))
        self.coded = torch.compile(codec) if settings.compile else codec
        self.balancer = Balancer(settings.terms) if settings.balance else None
        self.heads = [p for objective in self.objectives.values() for p in objective.heads()]
        self.learners = [*codec.parameters(), *self.heads]
        self.optimizer = adamw(self.learners, settings.learning_rate, settings)
        self.critic_optimizers = {
            name: adamw(critic_parameters(objective), settings.discriminator_rate, settings)
            for name, objective in self.objectives.items()
            if objective.critics()
        }
        self.averages = Averages(codec, settings.ema)
        self.chances = torch.from_numpy(prefix_chances(settings.prefix_odds, codec.codebooks)).float()
        self.progress = Progress()

    def step(self) -> dict[str, float]:
        """One update on the next batch; gives the losses by name, or {} when the step was skipped for not being finite.

        The losses are those of the clips of this process.
        """
        settings, progress = self.settings, self.progress
        torch.manual_seed(self._seed(0))
        stage, begin = settings.stage_at(progress.step)
        self._prepare(stage)
        if stage.start == "kmeans" and progress.step == begin and not self.codec.quantizer.started:
            self._start_codebooks()
        factor = rate_factor(settings, progress.step, progress.resumed_at)
        for optimizer in (self.optimizer, *self.critic_optimizers.values()):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        losses = self._update(stage)
        progress.step += 1
        progress.samples_seen += settings.batch * self.segment * self._parts
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

    def _update(self, stage: Stage) -> dict[str, float]:
        # Codebooks learn in the forward pass; a step that turns out not to be finite must not have taught them.
        codebooks = {name: value.clone() for name, value in self.codec.quantizer.state_dict().items()}
        self.optimizer.zero_grad(set_to_none=True)
        told: dict[str, list[Tensor]] = defaultdict(list)
        for part in range(self.settings.accumulate):
            for name, value in self._backward(stage, part).items():
                told[name].append(value.detach())
        self.ranks.average_gradients(self.learners)
        norm = nn.utils.clip_grad_norm_(self.learners, self.settings.clip)
        finite = torch.isfinite(torch.stack(told["total"])).all() and torch.isfinite(norm)
        if not self.ranks.all(bool(finite)):
            self.codec.quantizer.load_state_dict(codebooks)
            return {}
        self.optimizer.step()
        self.averages.update(self.progress.step)
        return {name: sum(map(float, values)) / len(values) for name, values in told.items()} | {"gradient": float(norm)}

    def _backward(self, stage: Stage, part: int) -> dict[str, Tensor]:
        """The gradients of one batch, added to those of the step's earlier ones; gives the losses by name."""
        batch = self._batch(self.progress.step, part)
        if part:
            torch.manual_seed(self._seed(part))
        # The same in all processes, so that codebooks learn from all of them in each or in none.
        prefixes = self._prefixes(len(batch.samples))
        if self.ranks.rank:
            torch.manual_seed(self._seed(part, self.ranks.rank))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            made: Made = self.coded(batch.samples, prefixes, stage.quantize == "yes")
        made = made._replace(samples=made.samples.float())
        found, told = self._terms(made, batch, stage, part)
        losses = {term: weight * found[term] for term, weight in stage.objectives.items() if term in found}
        total = torch.stack(list(losses.values())).sum() if losses else torch.zeros(())
        share = 1 / self.settings.accumulate
        if self.balancer and made.samples.requires_grad:
            wanted = {term: found[term] for term in losses}
            self.balancer.backward(wanted, stage.objectives, made.samples, self.heads, share, self.ranks)
        elif total.requires_grad:
            (total * share).backward()  # type: ignore[no-untyped-call]
        return losses | {"total": total} | told

    def _terms(self, made: Made, batch: Batch, stage: Stage, part: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The terms that the objectives of a stage give, and what critics, which learn first, were left with."""
        found: dict[str, Tensor] = {}
        told: dict[str, Tensor] = {}
        with torch.no_grad():
            targets = {name: teacher.features(batch.samples) for name, teacher in self.teachers.items()}
        generator = torch.Generator(self.device).manual_seed(self._seed(part, self.ranks.rank))
        for name, objective in self.objectives.items():
            if stage.adversarial and name in self.critic_optimizers:
                told[f"critics of {name}"] = self._teach_critics(name, objective, made, batch, part)
            if set(objective.terms) & set(stage.objectives):
                found |= objective(made, batch, targets, generator)
        return found, told

    def _teach_critics(self, name: str, objective: Objective, made: Made, batch: Batch, part: int = 0) -> Tensor:
        """Critics learn of all batches of a step with the last one, before they judge it."""
        loss, optimizer = objective.criticize(made, batch), self.critic_optimizers[name]
        if part == 0:
            optimizer.zero_grad(set_to_none=True)
        (loss / self.settings.accumulate).backward()  # type: ignore[no-untyped-call]
        if part == self.settings.accumulate - 1:
            parameters = critic_parameters(objective)
            self.ranks.average_gradients(parameters)
            # The same in all processes: what is not finite in one is so in the mean.
            if torch.isfinite(nn.utils.clip_grad_norm_(parameters, self.settings.clip)):
                optimizer.step()
        return loss

    @property
    def _parts(self) -> int:
        """Batches of a step, of all processes."""
        return self.settings.accumulate * self.ranks.world

    def _seed(self, part: int, rank: int = 0) -> int:
        """Of what is drawn in the present step."""
        first = self.settings.seed * 1_000_003 + self.progress.step
        return (first + (part << 40) + (rank << 52)) % 2**63 if part or rank else first

    def _prefixes(self, batch: int) -> Tensor:
        return (torch.multinomial(self.chances, batch, replacement=True) + 1).to(self.device)

    def _batch(self, step: int, part: int = 0) -> Batch:
        """One of a step's batches in this process; all of them together are the batch that one process would draw at once."""
        mine = self.ranks.rank * self.settings.accumulate + part
        batch = draw_batch(self.audio, (self.settings.seed, step), self.settings.batch, self.segment, mine, self._parts)
        return Batch(batch.samples.to(self.device), batch.clips)

    @torch.no_grad()
    def _start_codebooks(self) -> None:
        """K-means on the latents of batches that training has not used."""
        found = []
        for index in range(self.settings.kmeans_batches):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                samples = self._batch(self.settings.steps + index).samples.expand(-1, self.codec.channels, -1)
                latents = self.codec.encoder(samples).float()
            whole = latents.shape[2] - latents.shape[2] % self.codec.superframe
            found.append(stacked(latents[..., :whole], self.codec.superframe))
        self.codec.quantizer.start(torch.cat(found))
        # What a start draws differs from process to process.
        self.ranks.same(self.codec.quantizer.state_dict().values())

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
