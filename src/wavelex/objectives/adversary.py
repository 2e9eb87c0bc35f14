"""Discriminators as objectives: what they think of the codec's samples, and of how they see them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from wavelex.objectives.adversarial import LOSSES, Judged, discriminator_loss, feature_matching_loss, generator_loss
from wavelex.objectives.base import Batch, Made, Objective
from wavelex.objectives.discriminators.base import levelled
from wavelex.objectives.discriminators.spectrum import SpectrumDiscriminators
from wavelex.objectives.terms import Common

Shown = Tensor | dict[int, Tensor]
"""Samples, or spectra by window."""


class Adversary(Objective):
    """Discriminators, whose judgement is the first of two terms and whose feature maps give the second.

    `loss` is `hinge` or `least_squares`; see `wavelex.objectives.adversarial` for it, `normalize` and `average`.
    """

    def __init__(
        self, terms: tuple[str, str], discriminators: nn.Module, common: Common, loss: str, normalize: bool, average: bool
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss {loss!r}; choose from {', '.join(LOSSES)}")
        self.terms, self.discriminators, self.half_networks = terms, discriminators, common.bfloat16
        self.loss, self.normalize, self.average = loss, normalize, average

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """See `Objective`. Gives the discriminators no gradient."""
        judgement, features = self.terms
        with frozen(self.discriminators):
            fake = self._judge(self.fake(made, batch), made)
            with torch.no_grad():
                real = self._judge(self.real(batch), made)
        return {
            judgement: generator_loss(fake, self.loss, self.average),
            features: feature_matching_loss(real, fake, self.normalize, self.average),
        }

    def critics(self) -> list[nn.Module]:
        """See `Objective`."""
        return [self.discriminators]

    def criticize(self, made: Made, batch: Batch) -> Tensor:
        """See `Objective`."""
        # Detached afterwards: spectra that others share must keep their way back to the codec.
        fake = _detached(self.fake(made, batch))
        return discriminator_loss(self._judge(self.real(batch), made), self._judge(fake, made), self.loss, self.average)

    def real(self, batch: Batch) -> Shown:
        """What the discriminators are shown of the original."""
        raise NotImplementedError(type(self).__name__)

    def fake(self, made: Made, batch: Batch) -> Shown:
        """What they are shown of the decoded samples."""
        raise NotImplementedError(type(self).__name__)

    def condition(self, made: Made) -> tuple[Tensor, ...]:
        """What else the discriminators are told."""
        return ()

    def _judge(self, shown: Shown, made: Made) -> Judged:
        device = next(self.discriminators.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.half_networks):
            judged = self.discriminators(shown, *self.condition(made))
        return [(logits.float(), [f.float() for f in features]) for logits, features in judged]


class SpectrumAdversary(Adversary):
    """Frame-rate discriminators of spectra (see `SpectrumDiscriminators`).

    They are shown the original's bins below `above` Hz in place of the decoded ones: no adversarial gradient reaches the band
    in which the waveform itself is coded, and what is judged is whether the band above belongs to it.
    """

    def __init__(
        self, common: Common, windows: Sequence[int] = (256, 512, 1024), width: int = 160, above: float = 0.0, loss: str = "hinge"
    ) -> None:
        super().__init__(("adversarial", "features"), SpectrumDiscriminators(windows, width), common, loss, True, True)
        self.windows, self.spectra = tuple(windows), common.spectra
        common.spectra.declare(self.windows)
        self.sample_rate, self.above = common.sample_rate, above

    def real(self, batch: Batch) -> dict[int, Tensor]:
        """See `Adversary`."""
        return self.spectra(batch.samples, self.windows)  # type: ignore[no-any-return]

    def fake(self, made: Made, batch: Batch) -> dict[int, Tensor]:
        """The decoded spectra, the original's below `above`."""
        ours: dict[int, Tensor] = self.spectra(made.samples, self.windows)
        theirs = self.real(batch)
        if not self.above:
            return ours
        first = {window: math.ceil(self.above * window / self.sample_rate) for window in self.windows}
        return {window: torch.cat([theirs[window][:, :n], ours[window][:, n:]], dim=1) for window, n in first.items()}


class SampleAdversary(Adversary):
    """Discriminators of samples; `level` shows them without their mean and at one peak (see `levelled`).

    With `rates` they judge a clip under the first of these numbers of codebooks that is not less than its own.
    """

    def __init__(
        self,
        terms: tuple[str, str],
        discriminators: nn.Module,
        common: Common,
        loss: str,
        normalize: bool,
        average: bool,
        level: bool,
        rates: Sequence[int] = (),
    ) -> None:
        super().__init__(terms, discriminators, common, loss, normalize, average)
        self.level, self.rates = level, sorted(rates)

    def condition(self, made: Made) -> tuple[Tensor, ...]:
        """See `Adversary`: the number of the rate, (batch,)."""
        if not self.rates:
            return ()
        last = len(self.rates) - 1
        if made.quantized is None:
            return (torch.full((len(made.samples),), last, device=made.samples.device),)
        codebooks = (made.quantized.codes[:, :, 0] >= 0).sum(1)
        return (torch.searchsorted(torch.tensor(self.rates, device=codebooks.device), codebooks).clamp(max=last),)

    def real(self, batch: Batch) -> Tensor:
        """See `Adversary`."""
        return levelled(batch.samples) if self.level else batch.samples

    def fake(self, made: Made, batch: Batch) -> Tensor:
        """See `Adversary`."""
        return levelled(made.samples) if self.level else made.samples


def sample_adversary(name: str, discriminators: Callable[..., nn.Module], **published: Any) -> Callable[..., Objective]:
    """What makes the objective of the terms `name` and `name_features`.

    Its options are arguments of the discriminators and `loss`, `normalize`, `average` and `level`, which are as `published` unless given;
    `rates` of those discriminators that know conditions (see `SampleAdversary`).
    """
    usual = {"loss": "hinge", "normalize": False, "average": True, "level": False, **published}

    def make(common: Common, **options: Any) -> Objective:
        losses = {option: options.pop(option, value) for option, value in usual.items()}
        rates = options.pop("rates", ())
        judges = discriminators(**options, **({"conditions": len(rates)} if rates else {}))
        return SampleAdversary((name, f"{name}_features"), judges, common, **losses, rates=rates)

    return make


def _detached(shown: Shown) -> Shown:
    return shown.detach() if isinstance(shown, Tensor) else {window: spectrum.detach() for window, spectrum in shown.items()}


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """What is computed with a module meanwhile gives its parameters no gradient."""
    learning = [p for p in module.parameters() if p.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
