"""Reading published checkpoints: safetensors, torch pickles of tensors, Lightning checkpoints, folders of transformers. Never code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from wavelex.errors import WavelexError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIG = "config.json"


class Published(NamedTuple):
    """A checkpoint as it was found."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    """What was stored or lay beside it of the configuration, by the authors' names; empty where there was none."""


def read_published(path: Path) -> Published:
    """A checkpoint file, or a folder with `config.json` and `model.safetensors` or `pytorch_model.bin`.

    Raises WavelexError for what is missing or damaged, and for a pickle that holds more than tensors and plain values.
    """
    if path.is_dir():
        file = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
        if file is None:
            raise WavelexError(f"{path}: holds none of {', '.join(WEIGHTS)}; give a checkpoint")
        return read_published(file)
    if not path.is_file():
        raise WavelexError(f"{path}: no such checkpoint")
    beside = _config(path.with_name(CONFIG)) if path.name in WEIGHTS else {}
    found = _file(path)
    return found._replace(config={**found.config, **beside})


def _file(path: Path) -> Published:
    # A pickle of torch is a zip archive, or begins with the mark of a pickle; all else is left to safetensors.
    with path.open("rb") as file_opened:
        begin = file_opened.read(4)
    return _pickled(path) if begin[:2] == b"PK" or begin[:1] == b"\x80" else _safetensors(path)


def _safetensors(path: Path) -> Published:
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            metadata = dict(opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WavelexError(f"{path}: neither safetensors nor a checkpoint of torch, or damaged; download it again") from error
    return Published(tensors, _parsed(metadata.get("config", "{}")))


def _pickled(path: Path) -> Published:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = str(error).partition("GLOBAL ")[2].split(" ")[0] or "something other than tensors"
        raise WavelexError(
            f"{path}: this pickle would run code ({wanted[:100]}), which is refused; ask its authors for safetensors, "
            "or save its state dict alone where you trust it"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise WavelexError(f"{path}: not a checkpoint of torch, or damaged; download it again") from error
    try:
        tensors = _tensors(path, held)
    except RecursionError as error:
        raise WavelexError(f"{path}: holds itself; it is no checkpoint") from error
    if claims := [name for name, t in tensors.items() if t.untyped_storage().nbytes() < t.numel() * t.element_size()]:
        raise WavelexError(f"{path}: {claims[0]} claims more values than are stored; it is no checkpoint")
    return Published(tensors, _stored_config(held))


def _tensors(path: Path, held: object) -> dict[str, Tensor]:
    """The state dict among what was stored: all of it, or what lies under one of the usual names (an optimizer is left out)."""
    for name in ("state_dict", "model", "generator", "codec", "best_state", "weights"):
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping) and not (name == "generator" and _networks(held) > {name}):
            return _tensors(path, held[name])
    if not isinstance(held, Mapping):
        raise WavelexError(f"{path}: holds a {type(held).__name__}, not the tensors of a model")
    flat: dict[str, Tensor] = {}
    for key, value in held.items():
        if isinstance(value, Tensor):
            flat[str(key)] = value
        elif isinstance(value, Mapping):
            # Several networks in one file: an encoder and a generator, for one.
            flat |= {f"{key}.{name}": each for name, each in value.items() if isinstance(each, Tensor)}
    if not flat:
        raise WavelexError(f"{path}: holds no tensors")
    return flat


def _networks(held: Mapping[str, object]) -> set[str]:
    """The entries that are state dicts themselves. A generator with others beside it is the decoder alone."""
    return {name for name, value in held.items() if isinstance(value, Mapping) and any(isinstance(each, Tensor) for each in value.values())}


def _stored_config(held: object) -> dict[str, Any]:
    """Plain values that say how the model was built: Lightning's hyperparameters, or audiotools' metadata."""
    if not isinstance(held, Mapping):
        return {}
    metadata = held.get("metadata")
    for found in (held.get("hyper_parameters"), metadata.get("kwargs") if isinstance(metadata, Mapping) else None, held.get("config")):
        if isinstance(found, Mapping):
            return {str(key): value for key, value in found.items()}
    return {}


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WavelexError(f"{path}: cannot be read as text ({error})") from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
