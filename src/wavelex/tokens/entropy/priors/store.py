"""Prior files (safetensors with what they are made for in the header), and the priors that a codec has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.models import PRIOR_ENDING, models_folder
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.context import ContextPrior
from wavelex.tokens.entropy.priors.neural import NeuralPrior

FORMAT = "wavelex-prior-1"
KINDS: dict[str, type[ContextPrior] | type[NeuralPrior]] = {"context": ContextPrior, "neural": NeuralPrior}
CODINGS = ("packed", *KINDS)
"""How codes become bytes, the smallest files last; a file names one by its place here."""


@dataclass(frozen=True)
class StoredPrior:
    """A prior with its identity."""

    name: str
    """Its hash, which a token file records."""
    weights_hash: str
    """Of the codec whose codes it was made for."""
    prior: Prior


@dataclass(frozen=True)
class Priors:
    """The token priors that a codec or its tokens have with them, one of a kind at most."""

    stored: tuple[StoredPrior, ...] = ()
    model: str = ""
    """The shipped model that they belong to, if any: another process finds them in its package instead of being sent them."""

    def find(self, name: str) -> Prior | None:
        """The prior with that hash."""
        return next((each.prior for each in self.stored if each.name == name), None)

    def for_coding(self, weights_hash: str, coding: str | None = None) -> tuple[str, StoredPrior | None]:
        """How to code tokens of those weights, and the prior for it, which packed codes do without.

        `coding` is `packed`, `context` or `neural`; the smallest that there is a prior for unless given. Raises WavelexError where
        there is none for it.
        """
        fitting = {each.prior.kind: each for each in self.stored if each.weights_hash == weights_hash}
        if coding is None:
            coding = next((kind for kind in reversed(CODINGS) if kind in fitting), "packed")
        if coding not in CODINGS:
            raise WavelexError(f"coding {coding!r}: choose from {', '.join(CODINGS)}")
        if coding != "packed" and coding not in fitting:
            raise WavelexError(f"there is no {coding} prior for the weights {weights_hash}; fit one with wavelex prior, or choose packed")
        return coding, fitting.get(coding)

    def __reduce__(self) -> tuple[object, ...]:
        return (shipped_priors, (self.model,)) if self.model else (Priors, (self.stored,))


def save_prior(path: Path, prior: ContextPrior | NeuralPrior, weights_hash: str) -> str:
    """Write a prior for the codes of the weights with that hash; gives its own hash."""
    with replacing(path) as temporary:
        save_file(prior.tensors, temporary, metadata={"format": FORMAT, "kind": prior.kind, "weights": weights_hash})
    return prior_hash(prior.kind, weights_hash, prior.tensors)


def prior_hash(kind: str, weights_hash: str, tensors: Mapping[str, np.ndarray]) -> str:
    """First 8 hex digits of SHA-256 over what is in the file: the identity that a token file records."""
    digest = hashlib.sha256(f"{kind} {weights_hash}".encode())
    for name in sorted(tensors):
        digest.update(f"{name}{tensors[name].shape}{tensors[name].dtype}".encode() + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()[:8]


def load_prior(path: Path) -> StoredPrior:
    """Raises WavelexError where the file is no prior."""
    try:
        with safe_open(path, framework="np") as opened:
            header = dict(opened.metadata() or {})
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as error:
        # Types that numpy lacks are told as TypeError or AttributeError.
        raise WavelexError(f"{path}: not a token prior, or damaged; copy it again") from error
    if header.get("format") != FORMAT or header.get("kind") not in KINDS:
        raise WavelexError(f"{path}: not a token prior of this version ({header.get('format', 'no format given')[:40]})")
    try:
        made = KINDS[header["kind"]](tensors)
        name = prior_hash(header["kind"], header["weights"], tensors)
    except (KeyError, ValueError) as error:
        raise WavelexError(f"{path}: not a whole token prior ({error}); fit it again") from error
    return StoredPrior(name, header["weights"], made)


def priors_beside(weights: Path) -> Priors:
    """The priors that lie beside a codec's weights; `Priors.for_coding` tells which of them fit."""
    paths = [weights.with_name(f"{weights.stem}.{kind}{PRIOR_ENDING}") for kind in KINDS]
    return Priors(tuple(load_prior(path) for path in paths if path.is_file()))


@cache
def shipped_priors(model: str) -> Priors:
    """Those of a model inside the package."""
    return Priors(priors_beside(models_folder() / f"{model}.safetensors").stored, model)


@cache
def shipped_with(name: str) -> Priors:
    """Those of the shipped model of which one has this hash; none if there is no such model."""
    for path in sorted(models_folder().glob(f"*{PRIOR_ENDING}")):
        priors = shipped_priors(path.name.split(".")[0])
        if priors.find(name):
            return priors
    return Priors()
