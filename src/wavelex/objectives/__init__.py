"""What is minimised: one file a term or a kind of them. Only what is listed here can be named in a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wavelex.errors import WavelexError
from wavelex.objectives.adversary import SpectrumAdversary
from wavelex.objectives.base import Objective
from wavelex.objectives.terms import Commitment, Common, SharedSpectra, complex_term, level_term, loudness_term, mel_term

Maker = Callable[..., Objective]
TERMS: Mapping[str, Maker] = {
    "mel": mel_term,
    "complex": complex_term,
    "loudness": loudness_term,
    "level": level_term,
    "commitment": Commitment,
    "adversarial": SpectrumAdversary,
    "features": SpectrumAdversary,
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
