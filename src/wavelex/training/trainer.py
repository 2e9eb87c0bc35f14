"""One training step and everything it owns: codec, discriminators, optimizers, averages. Knows a design by its interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wavelex.codec.model import CodecModel
from wavelex.objectives.adversarial import discriminator_loss, feature_matching_loss, generator_loss
from wavelex.objectives.discriminators import SpectrumDiscriminators
from wavelex.objectives.reconstruction import Reconstruction
from wavelex.training.data import PackedAudio, draw_batch
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


class Trainer:
    """Steps a codec through its stages. All randomness of a step comes from (seed, step), so resuming is exact."""

    def __init__(self, codec: CodecModel, settings: Settings, audio: PackedAudio, device: torch.device) -> None:
        self.codec, self.settings, self.audio, self.device = codec.to(device).train(), settings, audio, device
        self.objective = Reconstruction(codec.sample_rate, settings.reconstruction).to(device)
        torch.manual_seed(settings.seed)
        self.discriminators = SpectrumDiscriminators(settings.discriminator_windows).to(device)
        self.optimizer = _adamw(codec.parameters(), settings.learning_rate, settings)
        self.discriminator_optimizer = _adamw(self.discriminators.parameters(), settings.discriminator_rate, settings)
        self.averages = {name: p.detach().clone() for name, p in codec.named_parameters()}
        self.progress = Progress()

    def step(self) -> dict[str, float]:
        """One update on the next batch; gives the losses by name, or {} when the step was skipped for not being finite."""
        settings, progress = self.settings, self.progress
        torch.manual_seed(settings.seed * 1_000_003 + progress.step)
        if progress.step == settings.autoencoder_steps and not self.codec.quantizer.started:
            self._start_codebooks()
        factor = rate_factor(settings, progress.step, progress.resumed_at)
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor
        original = self._batch(progress.step)
        losses = self._update(original)
        progress.step += 1
        progress.samples_seen += original.numel()
        if not losses:
            progress.skipped += 1
        return losses

    def _update(self, original: Tensor) -> dict[str, float]:
        settings = self.settings
        # Codebooks learn in the forward pass; a step that turns out not to be finite must not have taught them.
        codebooks = {name: value.clone() for name, value in self.codec.quantizer.state_dict().items()}
        quantize, adversarial = settings.quantizes(self.progress.step), settings.is_adversarial(self.progress.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.bfloat16):
            decoded, quantized = self.codec(original, self._prefixes(len(original)), quantize)
        ours, theirs = self.objective.analyse(decoded.float(), original)
        losses = self.objective(ours, theirs)
        if quantized is not None:
            losses["commitment"] = settings.commitment * quantized.loss
        if adversarial:
            judged_loss = self._update_discriminators(ours, theirs)
            real, fake = self._judge(theirs), self._judge(ours)
            losses["adversarial"] = settings.adversarial_weight * generator_loss(fake)
            losses["features"] = settings.feature_weight * feature_matching_loss(real, fake)
        total = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.codec.parameters(), settings.clip)
        if not (torch.isfinite(total) and torch.isfinite(norm)):
            self.codec.quantizer.load_state_dict(codebooks)
            return {}
        self.optimizer.step()
        self._average()
        report = {name: float(loss.detach()) for name, loss in losses.items()}
        report |= {"total": float(total.detach()), "gradient": float(norm)}
        if adversarial:
            report["discriminators"] = judged_loss
        return report

    def _update_discriminators(self, ours: dict[int, Tensor], theirs: dict[int, Tensor]) -> float:
        loss = discriminator_loss(self._judge(theirs), self._judge({n: s.detach() for n, s in ours.items()}))
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.discriminators.parameters(), self.settings.clip)
        if torch.isfinite(norm):
            self.discriminator_optimizer.step()
        return float(loss.detach())

    def _judge(self, spectra: dict[int, Tensor]) -> list[tuple[Tensor, list[Tensor]]]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            judged: list[tuple[Tensor, list[Tensor]]] = self.discriminators(spectra)
        return [(logits.float(), [f.float() for f in features]) for logits, features in judged]

    def _prefixes(self, batch: int) -> Tensor:
        odds = torch.tensor(self.settings.prefix_odds)
        return (torch.multinomial(odds, batch, replacement=True) + 1).to(self.device)

    def _batch(self, step: int) -> Tensor:
        length = int(self.settings.segment_seconds * self.codec.sample_rate)
        return draw_batch(self.audio, step, self.settings.seed, self.settings.batch, length).to(self.device)

    @torch.no_grad()
    def _start_codebooks(self) -> None:
        """K-means on the latents of batches that training has not used."""
        latents = []
        for index in range(self.settings.kmeans_batches):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bfloat16):
                latents.append(self.codec.encoder(self._batch(self.settings.steps + index)).float())
        self.codec.quantizer.start(torch.cat(latents))

    @torch.no_grad()
    def _average(self) -> None:
        # A short memory at first, so that the average does not carry the random start along.
        decay = min(self.settings.ema, (1 + self.progress.step) / (10 + self.progress.step))
        for name, parameter in self.codec.named_parameters():
            self.averages[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def averaged(self) -> Iterator[CodecModel]:
        """The codec with its running averages for weights; the weights themselves are back afterwards, whatever happens."""
        held = {name: p.detach().clone() for name, p in self.codec.named_parameters()}
        try:
            self._set_weights(self.averages)
            yield self.codec
        finally:
            self._set_weights(held)

    @torch.no_grad()
    def _set_weights(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.codec.named_parameters():
            parameter.copy_(values[name])

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
