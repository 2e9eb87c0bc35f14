"""The weights of Pocket TTS's audio tokenizer under the names of transformers, which are those of its Mimi."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from wavelex.designs.convert.base import Converted, Converter, whole_number
from wavelex.designs.convert.mimi import as_layer, same_names, seanet_sizes, transformer_layer
from wavelex.designs.convert.seanet import seanet_weights
from wavelex.designs.convert.tensors import Tensors, count


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    return "latent_proj.weight" in tensors and "upsample.weight" in {same_names(name) for name in tensors.names()}


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """Heads, window and sample rate are not in the shapes: those of the configuration, else as published."""
    same = Tensors({same_names(name): tensors.take(name) for name in tensors.names()})
    layers, heads = count(same, "encoder_transformer"), whole_number(config, "num_attention_heads", default=8)
    encoder, (width, dim, _) = seanet_weights(same.under("encoder")), same.shape("latent_proj.weight")
    arguments = {
        "sample_rate": whole_number(config, "sampling_rate", default=24_000),
        **seanet_sizes(encoder),
        "width": width,
        "stride": same.shape("downsample.weight")[2] // 2,
        "layers": layers,
        "hidden": same.shape("encoder_transformer.0.expand.weight")[0],
        "heads": heads,
        "context": whole_number(config, "sliding_window", default=250),
        "dim": dim,
    }
    parts = {
        "encoder.network.layers.0": as_layer(encoder),
        f"encoder.network.layers.{layers + 1}": {"conv.weight": same.take("downsample.weight")},
        "decoder.network.layers.0": {"conv.weight": same.take("latent_proj.weight")},
        "decoder.network.layers.1": {"conv.weight": same.take("upsample.weight")},
        f"decoder.network.layers.{layers + 2}": as_layer(seanet_weights(same.under("decoder"), decoder=True)),
        "quantizer": {"spread": torch.ones(dim), "fitted": torch.tensor(False)},
    }
    for index in range(layers):
        parts[f"encoder.network.layers.{index + 1}"] = transformer_layer(same.under(f"encoder_transformer.{index}"), heads)
        parts[f"decoder.network.layers.{index + 2}"] = transformer_layer(same.under(f"decoder_transformer.{index}"), heads)
    same.done()
    return Converted("pocket_tts", arguments, {f"{part}.{name}": tensor for part, of in parts.items() for name, tensor in of.items()})


CONVERTER = Converter("Pocket TTS audio tokenizer, kyutai-labs", "CC BY 4.0", recognises, convert)
