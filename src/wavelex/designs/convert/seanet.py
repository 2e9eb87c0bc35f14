"""Published SEANet weights as those of our encoder and decoder: EnCodec's own names, and those of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from wavelex.designs.convert.tensors import Tensors
from wavelex.errors import WavelexError


def seanet_weights(published: Tensors, decoder: bool = False) -> dict[str, Tensor]:
    """All tensors of a SEANet under the names of `SEANetEncoder` or `SEANetDecoder`.

    `published` are those below `encoder.model`, or `encoder.layers` in transformers: `0.conv.conv.weight_g` or `0.conv.weight_g`. The
    numbers of layers are the same here and there.
    """
    ours: dict[str, Tensor] = {}
    convolutions = [index for index, names in _layers(published) if not any(".block." in name or ".lstm." in name for name in names)]
    for index, names in _layers(published):
        layer, to = published.under(str(index)), f"network.layers.{index}"
        if any(".lstm." in name for name in names):
            at = f"{to}.module" if any(name.endswith("_reverse") for name in names) else to
            ours |= {f"{at}.{name.partition('.')[2]}": published.take(name) for name in names}
        elif index in convolutions:
            ours |= _convolution(layer, to, up=decoder and index not in (convolutions[0], convolutions[-1]))
        else:
            ours |= _convolution(layer.under("block.1"), f"{to}.branches.1.layers.1")
            ours |= _convolution(layer.under("block.3"), f"{to}.branches.1.layers.3")
            if any(".shortcut." in name for name in names):
                ours |= _convolution(layer.under("shortcut"), f"{to}.branches.0")
    return ours


def seanet_arguments(weights: dict[str, Tensor]) -> dict[str, Any]:
    """What the shapes of an encoder's weights, as `seanet_weights` gives them, say of its arguments (not padding and dilation)."""
    kernels = {int(key.split(".")[2]): w for key, w in weights.items() if w.ndim == 3 and ".branches." not in key}
    units = [key for key in weights if ".branches.1.layers.1." in key and weights[key].ndim == 3]
    first, *down, last = (kernels[index] for index in sorted(kernels))
    if not down or not units:
        raise WavelexError("these are not the layers of a SEANet encoder")
    lstm = [key for key in weights if ".lstm.weight_ih_l" in key]
    # Of the widest unit, as the width of the first may leave a remainder.
    inner, width, residual_kernel = weights[units[-1]].shape
    return {
        "dim": len(last),
        "filters": len(first),
        "strides": [w.shape[2] // 2 for w in down],
        "kernel": first.shape[2],
        "last_kernel": last.shape[2],
        "residual_kernel": residual_kernel,
        "residual_layers": len(units) // len(down),
        "compress": width // inner,
        "shortcut": any(".branches.0." in key for key in weights),
        "lstm": sum(not key.endswith("_reverse") for key in lstm),
        "channels": first.shape[1],
    }


def _layers(published: Tensors) -> Iterator[tuple[int, list[str]]]:
    """Each layer that has weights: its number and the names of its tensors."""
    names = published.names()
    for index in sorted({int(name.partition(".")[0]) for name in names if name.partition(".")[0].isdecimal()}):
        yield index, [name for name in names if name.startswith(f"{index}.")]


def _convolution(layer: Tensors, to: str, up: bool = False) -> dict[str, Tensor]:
    """A convolution and the group normalisation after it, if there is one."""
    where = next((name for name in ("conv.conv", "convtr.convtr") if f"{name}.bias" in layer), "conv")
    norm = (where.rpartition(".")[0] + ".norm").lstrip(".")
    bias = layer.take(f"{where}.bias")
    found = {"conv.weight": layer.weight(where), "bias" if up else "conv.bias": bias}
    if f"{norm}.weight" not in layer:
        return {f"{to}.{key}": tensor for key, tensor in found.items()}
    module = f"{to}.layers.1.module{'.0' if up else ''}"
    return {
        **{f"{to}.layers.0.{key}": tensor for key, tensor in found.items()},
        f"{module}.weight": layer.take(f"{norm}.weight"),
        f"{module}.bias": layer.take(f"{norm}.bias"),
    }
