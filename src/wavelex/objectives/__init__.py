"""What is minimised: one file a term or a kind of them. Only what is listed here can be named in a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wavelex.errors import WavelexError
from wavelex.objectives.adversary import SpectrumAdversary, sample_adversary
from wavelex.objectives.base import Objective
from wavelex.objectives.discriminators.complex_resolution import ComplexDiscriminators
from wavelex.objectives.discriminators.ms_stft import StftDiscriminators
from wavelex.objectives.discriminators.period import PeriodDiscriminators
from wavelex.objectives.discriminators.resolution import MagnitudeDiscriminators
from wavelex.objectives.discriminators.scale import ScaleDiscriminators
from wavelex.objectives.discriminators.spectrogram import SpectrogramDiscriminators
from wavelex.objectives.terms import (
    Commitment,
    Common,
    SharedSpectra,
    complex_term,
    level_term,
    log_mel_term,
    loudness_term,
    mel_term,
    multi_mel_term,
    si_sdr_term,
    stft_term,
    waveform_term,
)

Maker = Callable[..., Objective]
_DISCRIMINATORS: Mapping[str, Maker] = {
    "mpd": sample_adversary("mpd", PeriodDiscriminators),
    "mrd": sample_adversary("mrd", MagnitudeDiscriminators),
    "complex_mrd": sample_adversary("complex_mrd", ComplexDiscriminators, level=True),
    "ms_stft": sample_adversary("ms_stft", StftDiscriminators, normalize=True),
    "msd": sample_adversary("msd", ScaleDiscriminators, loss="least_squares", average=False),
    "spectrogram": sample_adversary("spectrogram", SpectrogramDiscriminators, loss="least_squares", average=False),
}
"""Each gives two terms: `mpd` and `mpd_features`."""
TERMS: Mapping[str, Maker] = {
    "mel": mel_term,
    "complex": complex_term,
    "loudness": loudness_term,
    "level": level_term,
    "commitment": Commitment,
    "waveform": waveform_term,
    "si_sdr": si_sdr_term,
    "log_mel": log_mel_term,
    "multi_mel": multi_mel_term,
    "stft": stft_term,
    "adversarial": SpectrumAdversary,
    "features": SpectrumAdversary,
    **{term: maker for name, maker in _DISCRIMINATORS.items() for term in (name, f"{name}_features")},
}
"""Which objective gives a term."""


def make_objectives(
    terms: Iterable[str],
    sample_rate: int,
    options: Mapping[str, Mapping[str, Any]],
    bfloat16: bool = False,
    known: Mapping[str, Maker] = TERMS,
) -> dict[str, Objective]:
    """The objectives that give these terms, each under the first term that it was asked for, sharing their spectra.

    `options` by term are arguments of its objective. Raises WavelexError for unknown terms and for options that do not fit.
    """
    terms = list(terms)
    if unknown := sorted({*terms, *options} - set(known)):
        raise WavelexError(f"no objective gives {', '.join(unknown)}; this version knows {', '.join(known)}")
    common = Common(sample_rate, SharedSpectra(), bfloat16)
    made: dict[Maker, tuple[str, Objective]] = {}
    for term in terms:
        maker = known[term]
        if maker not in made:
            given = {name: value for other, values in options.items() if known[other] is maker for name, value in values.items()}
            try:
                made[maker] = term, maker(common, **given)
            except (TypeError, ValueError, RuntimeError, AttributeError) as error:
                raise WavelexError(f"the objective of {term} cannot be made with {given}: {error}") from error
    return dict(made.values())
