"""Finding a codec by name, path or folder."""

from __future__ import annotations

import os
from pathlib import Path

from wavelex.codec.checkpoint import is_codec, load_codec
from wavelex.codec.codec import Codec
from wavelex.designs.convert import import_checkpoint
from wavelex.designs.convert.reading import WEIGHTS
from wavelex.errors import WavelexError
from wavelex.models import DEFAULT_MODEL, shipped_models
from wavelex.tokens.entropy.priors.store import shipped_priors


def load(model: str | os.PathLike[str] = DEFAULT_MODEL) -> Codec:
    """A codec ready to use: a shipped model's name, a checkpoint's path, or the folder of a training run.

    Published checkpoints, files or folders, are taken as they are (see `wavelex convert`). Raises WavelexError when there is none or it
    cannot be rebuilt.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return load_codec(shipped[str(model)], shipped_priors(str(model)))
    path = Path(model)
    if path.is_dir():
        for name in ("best.safetensors", "latest.safetensors"):
            if (path / name).is_file():
                return load_codec(path / name)
        if not any((path / name).is_file() for name in WEIGHTS):
            raise WavelexError(f"{path}: holds none of best.safetensors, latest.safetensors, {', '.join(WEIGHTS)}; give a checkpoint")
        return _published(path)
    if path.is_file():
        return load_codec(path) if is_codec(path) else _published(path)
    raise WavelexError(f"no model {str(model)!r}: shipped are {', '.join(shipped) or 'none'}; or give the path of a checkpoint")


def _published(path: Path) -> Codec:
    model, name, licence = import_checkpoint(path)
    return Codec(model, name, notes={"converted from": path.name, "licence of the weights": licence})
