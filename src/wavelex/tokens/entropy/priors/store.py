"""Prior files: safetensors with what they are made for in the header; found again by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.context import ContextPrior
from wavelex.tokens.entropy.priors.neural import EXACT, NeuralPrior

FORMAT = "wavelex-prior-1"
KINDS: dict[str, type[ContextPrior] | type[NeuralPrior]] = {"context": ContextPrior, "neural": NeuralPrior}
ENDING = ".prior.safetensors"
"""`NAME.safetensors` has its priors in `NAME.neural.prior.safetensors` and `NAME.context.prior.safetensors`."""
_known: dict[str, Prior] = {}
_made_for: dict[str, dict[str, str]] = {}


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


def load_prior(path: Path) -> tuple[str, str, Prior]:
    """Hash, the hash of the weights it is for, and the prior. Raises WavelexError where it is none."""
    try:
        with safe_open(path, framework="np") as opened:
            header = dict(opened.metadata() or {})
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WavelexError(f"{path}: not a token prior, or damaged; copy it again") from error
    if header.get("format") != FORMAT or header.get("kind") not in KINDS:
        raise WavelexError(f"{path}: not a token prior of this version ({header.get('format', 'no format given')})")
    try:
        made = KINDS[header["kind"]](tensors)
        name = prior_hash(header["kind"], header["weights"], tensors)
    except (KeyError, IndexError, ValueError) as error:
        raise WavelexError(f"{path}: not a whole token prior ({error}); fit it again") from error
    if isinstance(made, NeuralPrior) and made.largest_sum() >= EXACT:
        raise WavelexError(f"{path}: its sums are not exact on every machine; fit it again with fewer hidden values")
    return name, header["weights"], made


def register_beside(weights: Path, weights_hash: str) -> None:
    """Make the priors that lie beside a codec's weights, and are made for them, known to readers and writers of token files."""
    for kind in KINDS:
        path = weights.with_name(f"{weights.stem}.{kind}{ENDING}")
        if path.is_file():
            name, made_for, prior = load_prior(path)
            if made_for == weights_hash:
                _register(name, made_for, prior)


def find_prior(name: str) -> Prior | None:
    """The prior with that hash: one registered, or one of the shipped."""
    _register_shipped()
    return _known.get(name)


def priors_for(weights_hash: str) -> dict[str, str]:
    """The priors known for a codec's weights: kind to hash."""
    _register_shipped()
    return dict(_made_for.get(weights_hash, {}))


@cache
def _register_shipped() -> None:
    for path in sorted((Path(str(resources.files("wavelex"))) / "models").glob(f"*{ENDING}")):
        _register(*load_prior(path))


def _register(name: str, weights_hash: str, prior: Prior) -> None:
    _known[name] = prior
    _made_for.setdefault(weights_hash, {})[prior.kind] = name
