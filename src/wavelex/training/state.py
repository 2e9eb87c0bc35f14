"""The whole state of a run in one safetensors file, so that an interrupted run continues bit for bit. Never pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from wavelex.codec.checkpoint import read_tensors
from wavelex.codec.model import CodecModel
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.training.settings import Settings
from wavelex.training.trainer import Progress, Trainer

FORMAT = "wavelex-training-1"


def save_state(path: Path, trainer: Trainer) -> None:
    """Codec, averages, discriminators, both optimizers, progress and settings; complete or not at all."""
    tensors = _prefixed("codec", trainer.codec.state_dict())
    tensors |= _prefixed("averages", trainer.averages)
    tensors |= _prefixed("discriminators", trainer.discriminators.state_dict())
    for name, optimizer in _optimizers(trainer).items():
        for index, held in optimizer.state_dict()["state"].items():
            tensors |= _prefixed(f"{name}.{index}", held)
    header = {
        "format": FORMAT,
        "design": json.dumps([trainer.codec.design, trainer.codec.arguments], sort_keys=True),
        "progress": json.dumps(asdict(trainer.progress)),
        "settings": trainer.settings.to_json(),
        "audio": trainer.audio.path.name,
    }
    with replacing(path) as temporary:
        save_file({key: t.detach().cpu().contiguous().clone() for key, t in tensors.items()}, temporary, metadata=header)


def stored_settings(path: Path) -> Settings:
    """The settings of a saved run."""
    return Settings().changed(read_tensors(path)[0].get("settings", "{}"))


def load_state(path: Path, trainer: Trainer) -> None:
    """Put a saved run back into a trainer of the same design. Raises WavelexError when they do not fit."""
    header, tensors = read_tensors(path)
    if header.get("format") != FORMAT:
        raise WavelexError(f"{path}: not the state of a training run ({header.get('format', 'no format given')})")
    if header["design"] != json.dumps([trainer.codec.design, trainer.codec.arguments], sort_keys=True):
        raise WavelexError(f"{path}: the run is of another design or other arguments: {header['design']}")
    if header["audio"] != trainer.audio.path.name:
        raise WavelexError(f"{path}: the run was on other recordings, or they have changed; begin a new one with --init")
    trainer.codec.load_state_dict(_under("codec", tensors))
    trainer.discriminators.load_state_dict(_under("discriminators", tensors))
    for name, value in _under("averages", tensors).items():
        trainer.averages[name].copy_(value)
    for name, optimizer in _optimizers(trainer).items():
        held: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(name, tensors).items():
            index, field = key.split(".")
            held.setdefault(int(index), {})[field] = value
        # Rates and decay come from the settings of the run that continues, the moments from the file.
        optimizer.load_state_dict({"state": held, "param_groups": optimizer.state_dict()["param_groups"]})
    trainer.progress = Progress(**json.loads(header["progress"]))


def continue_from_weights(codec: CodecModel, trainer: Trainer, step: int) -> None:
    """Begin from exported weights alone: no moments, so the rate is ramped up again from `step` on."""
    trainer.codec.load_state_dict(codec.state_dict())
    trainer.averages = {name: p.detach().clone() for name, p in trainer.codec.named_parameters()}
    trainer.progress.step = trainer.progress.resumed_at = step


def _optimizers(trainer: Trainer) -> dict[str, torch.optim.Optimizer]:
    return {"optimizer": trainer.optimizer, "discriminator_optimizer": trainer.discriminator_optimizer}


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + ".")}
