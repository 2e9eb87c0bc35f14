"""The tensors of a published Vocos decoder, `backbone.*` and `head.*`, as those of `VocosDecoder`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from wavelex.designs.convert.tensors import Tensors
from wavelex.errors import WavelexError

ATTENTION = {"queries": "q", "keys": "k", "values": "v", "out": "proj_out"}
RESIDUAL = {"0": "norm1", "2": "conv1", "3": "norm2", "6": "conv2"}


def decoder_sizes(tensors: Tensors) -> dict[str, Any]:
    """Arguments of `VocosDecoder` that can be read from shapes: width, hidden, blocks and n_fft."""
    width = tensors.shape("backbone.embed.weight")[0]
    blocks = len({name.split(".")[2] for name in tensors.names() if name.startswith("backbone.convnext.")})
    if not blocks:
        raise WavelexError("backbone.convnext.0 is missing")
    hidden = tensors.shape("backbone.convnext.0.pwconv1.weight")[0]
    return {"width": width, "hidden": hidden, "blocks": blocks, "n_fft": tensors.shape("head.out.weight")[0] - 2}


def decoder_rows(tensors: Tensors) -> int:
    """Of its adaptive norms; 0 where they are plain."""
    return tensors.shape("backbone.norm.scale.weight")[0] if "backbone.norm.scale.weight" in tensors else 0


def decoder_tensors(tensors: Tensors) -> dict[str, Tensor]:
    """All of it, by the names of `VocosDecoder`'s state dict. Raises WavelexError for what is missing."""
    sizes, rows = decoder_sizes(tensors), decoder_rows(tensors)
    width, hidden, bins = sizes["width"], sizes["hidden"], sizes["n_fft"] + 2
    backbone, head = tensors.under("backbone"), tensors.under("head")
    found = {
        "embed.conv.weight": backbone.take("embed.weight"),
        "embed.conv.bias": backbone.take("embed.bias", width),
        **_norm(backbone, "norm", rows, width, "norm"),
        **_norm(backbone, "final_layer_norm", 0, width, "head.norm"),
        "head.linear.weight": head.take("out.weight", bins, width),
        "head.linear.bias": head.take("out.bias", bins),
    }
    for index in range(sizes["blocks"]):
        block, ours = backbone.under(f"convnext.{index}"), f"blocks.{index}"
        found |= {
            f"{ours}.depthwise": block.take("dwconv.weight", width, 1, 7),
            f"{ours}.bias": block.take("dwconv.bias", width),
            **_norm(block, "norm", rows, width, f"{ours}.norm"),
            f"{ours}.expand.weight": block.take("pwconv1.weight", hidden, width),
            f"{ours}.expand.bias": block.take("pwconv1.bias", hidden),
            f"{ours}.contract.weight": block.take("pwconv2.weight", width, hidden),
            f"{ours}.contract.bias": block.take("pwconv2.bias", width),
            f"{ours}.scale": block.take("gamma", width),
        }
    if has_attention(tensors):
        found |= _attention(backbone.under("pos_net"), width)
    # The window is a function of its length.
    head.skip(["istft.window"])
    return found


def has_attention(tensors: Tensors) -> bool:
    """Whether it is WavTokenizer's."""
    return "backbone.pos_net.2.q.weight" in tensors


def _norm(tensors: Tensors, name: str, rows: int, width: int, ours: str) -> dict[str, Tensor]:
    if rows:
        scale, shift = tensors.take(f"{name}.scale.weight", rows, width), tensors.take(f"{name}.shift.weight", rows, width)
        return {f"{ours}.weight": scale, f"{ours}.bias": shift}
    return {f"{ours}.{kind}": tensors.take(f"{name}.{kind}", width) for kind in ("weight", "bias")}


def _attention(tensors: Tensors, width: int) -> dict[str, Tensor]:
    kinds, ours = ("weight", "bias"), "attention.module"
    found = {f"{ours}.5.{kind}": tensors.take(f"5.{kind}", width) for kind in kinds}
    found |= {f"{ours}.2.norm.{kind}": tensors.take(f"2.norm.{kind}", width) for kind in kinds}
    for name, published in ATTENTION.items():
        found[f"{ours}.2.{name}.weight"] = tensors.take(f"2.{published}.weight", width, width, 1)[..., 0]
        found[f"{ours}.2.{name}.bias"] = tensors.take(f"2.{published}.bias", width)
    for unit in (0, 1, 3, 4):
        for layer, published in RESIDUAL.items():
            found |= {f"{ours}.{unit}.layers.{layer}.{kind}": tensors.take(f"{unit}.{published}.{kind}") for kind in kinds}
    return found
