"""The models inside the package: weights, token priors and a card each."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "speech-16k"
PRIOR_ENDING = ".prior.safetensors"
"""`NAME.safetensors` has its priors in `NAME.neural.prior.safetensors` and `NAME.context.prior.safetensors`."""


def models_folder() -> Path:
    """Where they lie."""
    return Path(__file__).parent


def shipped_models() -> dict[str, Path]:
    """Names and weights of them all."""
    return {path.stem: path for path in sorted(models_folder().glob("*.safetensors")) if not path.name.endswith(PRIOR_ENDING)}
