"""Finding a codec by name, path or folder."""

from __future__ import annotations

import os
from pathlib import Path

from wavelex.codec.checkpoint import load_codec
from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.models import DEFAULT_MODEL, shipped_models
from wavelex.tokens.entropy.priors.store import shipped_priors


def load(model: str | os.PathLike[str] = DEFAULT_MODEL) -> Codec:
    """A codec ready to use: a shipped model's name, a checkpoint's path, or the folder of a training run.

    Raises WavelexError when there is none or it cannot be rebuilt.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return load_codec(shipped[str(model)], shipped_priors(str(model)))
    path = Path(model)
    if path.is_dir():
        for name in ("best.safetensors", "latest.safetensors"):
            if (path / name).is_file():
                return load_codec(path / name)
        raise WavelexError(f"{path}: holds no best.safetensors or latest.safetensors; give a checkpoint")
    if path.is_file():
        return load_codec(path)
    raise WavelexError(f"no model {str(model)!r}: shipped are {', '.join(shipped) or 'none'}; or give the path of a checkpoint")
