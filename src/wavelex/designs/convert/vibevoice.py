"""The weights of VibeVoice's acoustic tokenizer under the names of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from wavelex.designs.convert.base import Converted, Converter, whole_number
from wavelex.designs.convert.tensors import Tensors, count


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    return "encoder.stem.stage.0.ffn_gamma" in tensors and "decoder.stem.conv.conv.weight" in tensors


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """All sizes but the sample rate are in the shapes."""
    stages = count(tensors, "encoder.conv_layers")
    depths = [count(tensors, f"encoder.{stage}.stage") for stage in ("stem", *(f"conv_layers.{index}" for index in range(stages)))]
    dim, _, kernel = tensors.shape("encoder.head.conv.weight")
    arguments = {
        "sample_rate": whole_number(config, "sampling_rate", default=24_000),
        "filters": tensors.shape("encoder.stem.conv.conv.weight")[0],
        "strides": [tensors.shape(f"encoder.conv_layers.{index}.conv.conv.weight")[2] // 2 for index in range(stages)],
        "depths": depths,
        "kernel": kernel,
        "dim": dim,
    }
    ours = {"quantizer.spread": torch.ones(dim), "quantizer.fitted": torch.tensor(False)}
    for part, counts in (("encoder", depths), ("decoder", depths[::-1])):
        published = tensors.under(part)
        for index, of_layer in enumerate(_layers(published, counts)):
            ours |= {f"{part}.network.layers.{index}.{name}": tensor for name, tensor in of_layer.items()}
    return Converted("vibevoice", arguments, ours)


def _layers(published: Tensors, depths: list[int]) -> list[dict[str, Tensor]]:
    """Of an encoder or decoder, in their order: stem, then each stage with its blocks, then head."""
    found = []
    for index, depth in enumerate(depths):
        stage = published.under(f"conv_layers.{index - 1}" if index else "stem")
        if "convtr.convtr.weight" in stage:
            found.append({"conv.weight": stage.take("convtr.convtr.weight"), "bias": stage.take("convtr.convtr.bias")})
        else:
            found.append({f"conv.{kind}": stage.take(f"conv.conv.{kind}") for kind in ("weight", "bias")})
        found += [_block(stage.under(f"stage.{block}")) for block in range(depth)]
    return [*found, {f"conv.{kind}": published.take(f"head.conv.{kind}") for kind in ("weight", "bias")}]


def _block(published: Tensors) -> dict[str, Tensor]:
    """The residual branches are second in their sums."""
    names = {
        "layers.0.branches.1.layers.0.module.norm.weight": "norm.weight",
        "layers.0.branches.1.layers.1.conv.weight": "mixer.conv.weight",
        "layers.0.branches.1.layers.1.conv.bias": "mixer.conv.bias",
        "layers.1.branches.1.layers.0.module.norm.weight": "ffn_norm.weight",
        "layers.1.branches.1.layers.1.linear.weight": "ffn.linear1.weight",
        "layers.1.branches.1.layers.1.linear.bias": "ffn.linear1.bias",
        "layers.1.branches.1.layers.3.linear.weight": "ffn.linear2.weight",
        "layers.1.branches.1.layers.3.linear.bias": "ffn.linear2.bias",
    }
    ours = {name: published.take(theirs) for name, theirs in names.items()}
    ours["layers.0.branches.1.layers.2.module.scale"] = published.take("gamma")[:, None]
    ours["layers.1.branches.1.layers.4.module.scale"] = published.take("ffn_gamma")[:, None]
    return ours


CONVERTER = Converter("VibeVoice acoustic tokenizer, microsoft", "MIT", recognises, convert)
