"""The whole state of a run in one safetensors file, so that an interrupted run continues bit for bit. Never pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wavelex.codec.checkpoint import read_tensors
from wavelex.codec.model import CodecModel
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.training.trainer import Progress, Trainer

FORMAT = "wavelex-training-2"


def save_state(path: Path, trainer: Trainer) -> None:
    """Codec, averages, objectives, all optimizers and progress; complete or not at all."""
    tensors = _prefixed("codec", trainer.codec.state_dict())
    tensors |= _prefixed("averages", trainer.averages.values)
    for name, objective in trainer.objectives.items():
        tensors |= _prefixed(f"objectives.{name}", objective.state_dict())
    if trainer.balancer:
        tensors |= _prefixed("balancer", trainer.balancer.means)
    for name, optimizer in _optimizers(trainer).items():
        for index, held in optimizer.state_dict()["state"].items():
            tensors |= _prefixed(f"{name}.{index}", held)
    header = {
        "format": FORMAT,
        "design": json.dumps([trainer.codec.design, trainer.codec.arguments], sort_keys=True),
        "progress": json.dumps(asdict(trainer.progress)),
        "audio": trainer.audio.digest,
    }
    with replacing(path) as temporary:
        save_file({key: t.detach().cpu().contiguous().clone() for key, t in tensors.items()}, temporary, metadata=header)


def load_state(path: Path, trainer: Trainer) -> None:
    """Put a saved run back into a trainer of the same design. Raises WavelexError when they do not fit."""
    header, tensors = read_tensors(path)
    if header.get("format") != FORMAT:
        raise WavelexError(
            f"{path}: not the state of a training run of this version ({header.get('format', 'no format given')}); "
            "begin a new run with --init and its weights"
        )
    if header["design"] != json.dumps([trainer.codec.design, trainer.codec.arguments], sort_keys=True):
        raise WavelexError(f"{path}: the run is of another design or other arguments: {header['design']}")
    if header["audio"] != trainer.audio.digest:
        raise WavelexError(f"{path}: the run was on other recordings, or they have changed; begin a new one with --init")
    try:
        trainer.codec.load_state_dict(_under("codec", tensors))
        for name, objective in trainer.objectives.items():
            objective.load_state_dict(_under(f"objectives.{name}", tensors))
    except RuntimeError as error:
        raise WavelexError(f"{path}: the run had other objectives or options ({str(error).splitlines()[0]})") from error
    for name, value in _under("averages", tensors).items():
        trainer.averages.values[name].copy_(value)
    if trainer.balancer:
        trainer.balancer.means |= _under("balancer", tensors)
    for name, optimizer in _optimizers(trainer).items():
        held: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(name, tensors).items():
            index, field = key.split(".")
            held.setdefault(int(index), {})[field] = value
        # Rates and decay come from the settings of the run that continues, the moments from the file.
        optimizer.load_state_dict({"state": held, "param_groups": optimizer.state_dict()["param_groups"]})
    trainer.progress = Progress(**json.loads(header["progress"]))


def load_progress(path: Path) -> Progress:
    """Where a saved run stands. Raises WavelexError when the file is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as opened:
            return Progress(**json.loads(opened.metadata()["progress"]))
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise WavelexError(f"{path}: not the state of a training run of this version, or damaged; begin a new run") from error


def continue_from_weights(model: CodecModel, trainer: Trainer, step: int) -> None:
    """Begin from exported weights alone: no moments, so the rate is ramped up again from `step` on."""
    trainer.codec.load_state_dict(model.state_dict())
    trainer.averages.restart()
    trainer.progress.step = trainer.progress.resumed_at = step


def _optimizers(trainer: Trainer) -> dict[str, torch.optim.Optimizer]:
    critics = {f"critics.{name}": optimizer for name, optimizer in trainer.critic_optimizers.items()}
    return {"optimizer": trainer.optimizer, **critics}


def _prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + ".")}
