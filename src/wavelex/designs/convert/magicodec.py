"""MagiCodec's weights under its authors' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.tensors import Tensors, count, in_halves


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    return "quantizer.codebook_proj.weight" in tensors and "encoder.transformer.layers.ln_f.weight" in tensors


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """The window is that of the frame rate: 640 ms before and 40 ms after a frame."""
    # Tables of rotary frequencies, which some versions of the code store.
    tensors.skip(name for name in tensors.names() if name.endswith("rotary_emb.inv_freq"))
    patch, hop_length = tensors.shape("encoder.linear_1.weight")
    width, layers = tensors.shape("encoder.linear_2.weight")[0], count(tensors, "encoder.transformer.layers.layers")
    blocks = "transformer.layers.layers.0"
    arguments = {
        "hop_length": hop_length,
        "patch": patch,
        "width": width,
        "layers": layers,
        "hidden": tensors.shape(f"encoder.{blocks}.mlp.fc2.weight")[1],
        "heads": width // tensors.shape(f"encoder.{blocks}.mixer.q_norm.weight")[0],
        "past": 10_240 // hop_length,
        "ahead": 640 // hop_length,
        "dim": tensors.shape("quantizer.codebook.weight")[1],
        "size": tensors.shape("quantizer.codebook.weight")[0],
    }
    encoder, decoder = tensors.under("encoder"), tensors.under("decoder")
    size = arguments["size"]
    parts = {
        "encoder.network.layers.0": {"conv.weight": encoder.take("linear_1.weight")[:, None]},
        "encoder.network.layers.1": _linear(encoder, "linear_2"),
        f"encoder.network.layers.{layers + 3}": _linear(encoder, "linear_out"),
        "decoder.network.layers.0": _linear(decoder, "linear_in"),
        f"decoder.network.layers.{layers + 2}": _linear(decoder, "linear_1"),
        f"decoder.network.layers.{layers + 3}": {"conv.weight": decoder.take("linear_2.weight").T[:, None]},
        "quantizer.layers.0": {
            "base": tensors.take("quantizer.codebook.weight"),
            "usage": torch.ones(size),
            "projector.weight": tensors.take("quantizer.codebook_proj.weight"),
            "projector.bias": tensors.take("quantizer.codebook_proj.bias"),
        },
    }
    for name, published, first in (("encoder", encoder, 2), ("decoder", decoder, 1)):
        for index in range(layers):
            parts[f"{name}.network.layers.{index + first}"] = _layer(
                published.under(f"transformer.layers.layers.{index}"), arguments["heads"]
            )
        gains = published.take("transformer.layers.ln_f.weight")
        parts[f"{name}.network.layers.{layers + first}"] = {"module.norm.weight": gains}
    return Converted("magicodec", arguments, {f"{part}.{name}": tensor for part, of in parts.items() for name, tensor in of.items()})


def _linear(published: Tensors, name: str) -> dict[str, Tensor]:
    return {"linear.weight": published.take(f"{name}.weight"), "linear.bias": published.take(f"{name}.bias")}


def _layer(published: Tensors, heads: int) -> dict[str, Tensor]:
    queries, keys, values = published.take("mixer.Wqkv.weight").chunk(3)
    return {
        "attention_norm.weight": published.take("norm1.weight"),
        "perceptron_norm.weight": published.take("norm2.weight"),
        "attention.project_in.weight": torch.cat([in_halves(queries, heads), in_halves(keys, heads), values]),
        "attention.project_out.weight": published.take("mixer.out_proj.weight"),
        "attention.query_norm.weight": in_halves(published.take("mixer.q_norm.weight"), 1),
        "attention.key_norm.weight": in_halves(published.take("mixer.k_norm.weight"), 1),
        "expand.weight": published.take("mlp.fc1.weight"),
        "contract.weight": published.take("mlp.fc2.weight"),
    }


CONVERTER = Converter("MagiCodec, Ereboas", "none stated; the code is MIT", recognises, convert)
