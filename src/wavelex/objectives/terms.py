"""The reconstruction terms and the quantizer's own as objectives."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wavelex.objectives.base import Batch, Made, Objective
from wavelex.objectives.level import LevelDistance
from wavelex.objectives.log_spectra import LogMelDistance, MultiMelDistance, StftDistance
from wavelex.objectives.loudness import LoudnessDistance
from wavelex.objectives.reconstruction import COMPLEX_WINDOWS, MEL_BANDS
from wavelex.objectives.spectral import LowBandComplexDistance, MelDistance, Spectra
from wavelex.objectives.waveform import SiSdrLoss, WaveformDistance


@dataclass(frozen=True)
class Common:
    """What the objectives of a run share."""

    sample_rate: int
    spectra: SharedSpectra
    bfloat16: bool = False
    """Whether their networks compute in it; distances never do."""


class SharedSpectra(nn.Module):
    """Spectra that several objectives look at, computed once for each window of each signal and forgotten with the signal."""

    def __init__(self) -> None:
        super().__init__()
        self.analyses = nn.ModuleDict()
        self._known: list[tuple[weakref.ref[Tensor], dict[int, Tensor]]] = []

    def declare(self, windows: Sequence[int]) -> None:
        """Someone will ask for these."""
        for n_fft in windows:
            self.analyses[str(n_fft)] = Spectra([n_fft])

    def forward(self, samples: Tensor, windows: Sequence[int]) -> dict[int, Tensor]:
        """Spectra of samples (batch, 1, T) by window, as `Spectra` gives them."""
        self._known = [(signal, spectra) for signal, spectra in self._known if signal() is not None]
        known = next((spectra for signal, spectra in self._known if signal() is samples), None)
        if known is None:
            known = {}
            self._known.append((weakref.ref(samples), known))
        for n_fft in windows:
            if n_fft not in known:
                known |= self.analyses[str(n_fft)](samples[:, 0])
        return {n_fft: known[n_fft] for n_fft in windows}


class SpectralObjective(Objective):
    """One distance between the spectra of decoded and original samples."""

    def __init__(self, term: str, distance: nn.Module, windows: Sequence[int], common: Common) -> None:
        super().__init__()
        self.terms, self.distance, self.windows, self.spectra = (term,), distance, tuple(windows), common.spectra
        common.spectra.declare(self.windows)

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """See `Objective`."""
        distance = self.distance(self.spectra(made.samples, self.windows), self.spectra(batch.samples, self.windows))
        return {self.terms[0]: distance}


def mel_term(common: Common, bands: Mapping[str, int] | None = None) -> Objective:
    """`MelDistance`; `bands` are how many for each window."""
    chosen = {int(window): count for window, count in bands.items()} if bands else MEL_BANDS
    return SpectralObjective("mel", MelDistance(common.sample_rate, chosen), list(chosen), common)


def complex_term(common: Common, windows: Sequence[int] = COMPLEX_WINDOWS) -> Objective:
    """`LowBandComplexDistance`."""
    return SpectralObjective("complex", LowBandComplexDistance(common.sample_rate, windows), windows, common)


def loudness_term(common: Common) -> Objective:
    """`LoudnessDistance`."""
    distance = LoudnessDistance(common.sample_rate)
    return SpectralObjective("loudness", distance, [distance.n_fft], common)


def level_term(common: Common) -> Objective:
    """`LevelDistance`."""
    distance = LevelDistance(common.sample_rate)
    return SpectralObjective("level", distance, [distance.n_fft], common)


class Commitment(Objective):
    """What the quantizer itself asks to be minimised."""

    terms = ("commitment",)

    def __init__(self, common: Common) -> None:
        super().__init__()

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """See `Objective`; nothing where no codes were used."""
        return {} if made.quantized is None else {"commitment": made.quantized.loss}


class SampleObjective(Objective):
    """One distance between decoded and original samples."""

    def __init__(self, term: str, distance: nn.Module) -> None:
        super().__init__()
        self.terms, self.distance = (term,), distance

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """See `Objective`."""
        return {self.terms[0]: self.distance(made.samples, batch.samples)}


def waveform_term(common: Common) -> Objective:
    """`WaveformDistance`."""
    return SampleObjective("waveform", WaveformDistance())


def si_sdr_term(common: Common) -> Objective:
    """`SiSdrLoss`."""
    return SampleObjective("si_sdr", SiSdrLoss())


def log_mel_term(common: Common, **options: Any) -> Objective:
    """`LogMelDistance`."""
    return SampleObjective("log_mel", LogMelDistance(common.sample_rate, **options))


def multi_mel_term(common: Common, **options: Any) -> Objective:
    """`MultiMelDistance`."""
    return SampleObjective("multi_mel", MultiMelDistance(common.sample_rate, **options))


def stft_term(common: Common, **options: Any) -> Objective:
    """`StftDistance`."""
    return SampleObjective("stft", StftDistance(**options))
