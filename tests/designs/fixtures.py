"""Outputs of the published codecs' own code on small random weights, where the folder that holds them is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures"


class Fixture(NamedTuple):
    """What the published code was given, and what it gave."""

    state: dict[str, Tensor]
    """Its weights under their published names."""
    tensors: dict[str, Tensor]
    """All else: `input`, `latents`, `codes`, `output`, and steps between."""
    header: dict[str, Any]
    """`config`, `sensitivity`, `notes` and more, parsed."""

    def checkpoint(self, folder: Path) -> Path:
        """The weights as a published file."""
        path = folder / "published.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in self.state.items()}, path)
        return path


def load_fixture(name: str) -> Fixture:
    """Skips the test where the fixtures are not at hand."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"the published codec's outputs are not at hand ({path.name} in a folder beside the checkout)")
    with safe_open(path, framework="pt") as opened:
        everything = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
        header = {key: _parsed(value) for key, value in (opened.metadata() or {}).items()}
    everything = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in everything.items()}
    state = {key.removeprefix("state."): tensor for key, tensor in everything.items() if key.startswith("state.")}
    return Fixture(state, {key: tensor for key, tensor in everything.items() if not key.startswith("state.")}, header)


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference over the largest value of theirs."""
    assert ours.shape == theirs.shape, (tuple(ours.shape), tuple(theirs.shape))
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
