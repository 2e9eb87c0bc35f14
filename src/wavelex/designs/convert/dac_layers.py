"""The layers that DAC and its descendants share, from their published names to ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from torch import Tensor

from wavelex.designs.convert.tensors import Tensors

Weights = dict[str, Tensor]
"""Of one layer, by their names in it."""
Activation = Callable[[Tensors, str], Weights]


def conv(tensors: Tensors, name: str) -> Weights:
    """`PaddedConv1d`."""
    return {"conv.weight": tensors.weight(name), "conv.bias": tensors.take(f"{name}.bias")}


def up(tensors: Tensors, name: str) -> Weights:
    """`PaddedConvTranspose1d`."""
    return {"conv.weight": tensors.weight(name), "bias": tensors.take(f"{name}.bias")}


def snake(tensors: Tensors, name: str) -> Weights:
    """`Each(Snake)`."""
    return {"module.alpha": tensors.take(f"{name}.alpha").flatten()}


def units(tensors: Tensors, places: Sequence[int], activation: Activation = snake) -> list[Weights]:
    """Residual units at `places` of a block."""
    found = []
    for place in places:
        unit = tensors.under(f"{place}.block")
        layers = [activation(unit, "0"), conv(unit, "1"), activation(unit, "2"), conv(unit, "3")]
        found.append(numbered("branches.0.layers", layers))
    return found


def numbered(prefix: str, layers: Sequence[Weights]) -> Weights:
    """Those of a chain."""
    return {f"{prefix}.{place}.{name}": weight for place, layer in enumerate(layers) for name, weight in layer.items()}


def codebook(tensors: Tensors, vectors: str = "codebook.weight") -> Weights:
    """`ProjectedCodebook`; its projections may be published as convolutions of one step."""
    found = {"vectors": tensors.take(vectors)}
    for ours, theirs in (("down", "in_proj"), ("up", "out_proj")):
        weight = tensors.weight(theirs)
        found |= {f"{ours}.weight": weight.reshape(weight.shape[:2]), f"{ours}.bias": tensors.take(f"{theirs}.bias")}
    return found


def count(tensors: Tensors, pattern: str) -> int:
    """How many different numbers stand where `pattern` has its group, among the names that it matches."""
    return len({match[1] for name in tensors.names() if (match := re.match(pattern, name))})


def stride(tensors: Tensors, name: str) -> int:
    """Of a convolution whose kernel is twice as long, whether its weight is normalised or not."""
    stored = (f"{name}.weight", f"{name}.weight_v", f"{name}.parametrizations.weight.original1")
    return next((tensors.shape(each)[2] // 2 for each in stored if each in tensors), 1)
