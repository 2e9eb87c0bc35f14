"""Mimi's weights under the names of moshi, which its authors publish, and under those of transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from wavelex.designs.convert.base import Converted, Converter, whole_number
from wavelex.designs.convert.seanet import seanet_arguments, seanet_weights
from wavelex.designs.convert.tensors import Tensors, count, in_halves

SAME_NAMES = (
    (r"^encoder\.encoder_seanet\.|^encoder\.model\.", "encoder."),
    (r"^decoder\.decoder_seanet\.|^decoder\.model\.", "decoder."),
    (r"^(encoder|decoder)\.layers\.", r"\1."),
    (r"^(encoder|decoder)\.(\1_transformer|downsample|upsample)\.", r"\2."),
    (r"_transformer\.(transformer\.)?layers\.", "_transformer."),
    (r"^(downsample|upsample)\.[convtr.]*weight$", r"\1.weight"),
    (r"^quantizer\.(rvq_first|semantic_residual_vector_quantizer)\.", "semantic."),
    (r"^quantizer\.(rvq_rest|acoustic_residual_vector_quantizer)\.", "acoustic."),
    (r"\.(vq\.)?layers\.(\d+)\._?codebook\._?", r".codebooks.\2."),
    (r"\.embedding_sum$", ".embed_sum"),
    (r"\.self_attn\.(in|out)_projs\.0\.weight$", r".self_attn.\1_proj.weight"),
    (r"\.self_attn\.in_proj_weight$", ".self_attn.in_proj.weight"),
    (r"\.self_attn\.o_proj\.", ".self_attn.out_proj."),
    (r"\.(layer_scale_1|self_attn_layer_scale)\.scale$", ".attention_scale"),
    (r"\.(layer_scale_2|mlp_layer_scale)\.scale$", ".perceptron_scale"),
    (r"\.(norm1|input_layernorm)\.", ".attention_norm."),
    (r"\.(norm2|post_attention_layernorm)\.", ".perceptron_norm."),
    (r"\.(linear1|mlp\.fc1)\.", ".expand."),
    (r"\.(linear2|mlp\.fc2)\.", ".contract."),
)
"""Names of moshi and of two versions of transformers, turned into one set of names."""


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    names = {same_names(name) for name in tensors.names()}
    return {"semantic.input_proj.weight", "acoustic.input_proj.weight", "upsample.weight"} <= names


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """Heads, window and sample rate are not in the shapes: those of either project's configuration, else as published."""
    of_moshi = any(".self_attn.in_proj" in name for name in tensors.names())
    same = Tensors({same_names(name): tensors.take(name) for name in tensors.names()})
    transformer = config.get("transformer")
    told = {**(transformer if isinstance(transformer, Mapping) else {}), **config}
    heads = whole_number(told, "num_heads", "num_attention_heads", default=8)
    encoder, dim = seanet_weights(same.under("encoder")), same.shape("downsample.weight")[0]
    layers, semantic = count(same, "encoder_transformer"), count(same, "semantic.codebooks")
    arguments = {
        "sample_rate": whole_number(told, "sampling_rate", default=24_000),
        **seanet_sizes(encoder),
        "stride": same.shape("downsample.weight")[2] // 2,
        "layers": layers,
        "hidden": same.shape("encoder_transformer.0.expand.weight")[0],
        "heads": heads,
        "context": whole_number(told, "context", "sliding_window", default=250),
        "codebooks": semantic + count(same, "acoustic.codebooks"),
        "size": same.shape("semantic.codebooks.0.cluster_usage")[0],
        "inner": same.shape("semantic.input_proj.weight")[0],
        "semantic": semantic,
        "fill": not of_moshi,
    }
    parts = {
        "encoder.network.layers.0": as_layer(encoder),
        f"encoder.network.layers.{layers + 1}": {"conv.weight": same.take("downsample.weight")},
        "decoder.network.layers.0": {"conv.weight": same.take("upsample.weight")},
        f"decoder.network.layers.{layers + 1}": as_layer(seanet_weights(same.under("decoder"), decoder=True)),
        "quantizer.inner.semantic": _quantizer(same.under("semantic")),
        "quantizer.inner.acoustic": _quantizer(same.under("acoustic")),
        # What training follows of the latents begins anew.
        "quantizer": {"mean": torch.zeros(dim), "power": torch.ones(dim), "seen": torch.tensor(0)},
    }
    for part in ("encoder", "decoder"):
        for index in range(layers):
            parts[f"{part}.network.layers.{index + 1}"] = transformer_layer(same.under(f"{part}_transformer.{index}"), heads)
    same.done()
    return Converted("mimi", arguments, {f"{part}.{name}": tensor for part, of in parts.items() for name, tensor in of.items()})


def seanet_sizes(encoder: dict[str, Tensor]) -> dict[str, Any]:
    """The arguments that may differ from the published SEANet; where another does, tensors will not fit."""
    found = seanet_arguments(encoder)
    return {name: found[name] for name in ("dim", "filters", "strides")}


def as_layer(seanet: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a SEANet as those of a layer of a `LayeredEncoder` or `LayeredDecoder`."""
    return {name.removeprefix("network."): tensor for name, tensor in seanet.items()}


def transformer_layer(published: Tensors, heads: int) -> dict[str, Tensor]:
    """moshi stacks the maps to queries, keys and values and rotates neighbouring channels; transformers does neither."""
    names = ("attention_norm.weight", "attention_norm.bias", "perceptron_norm.weight", "perceptron_norm.bias")
    ours = {name: published.take(name) for name in (*names, "expand.weight", "contract.weight", "attention_scale", "perceptron_scale")}
    ours["attention.project_out.weight"] = published.take("self_attn.out_proj.weight")
    if "self_attn.in_proj.weight" in published:
        queries, keys, values = published.take("self_attn.in_proj.weight").chunk(3)
        queries, keys = in_halves(queries, heads), in_halves(keys, heads)
    else:
        queries, keys, values = (published.take(f"self_attn.{each}_proj.weight") for each in "qkv")
    ours["attention.project_in.weight"] = torch.cat([queries, keys, values])
    return ours


def _quantizer(published: Tensors) -> dict[str, Tensor]:
    ours = {
        "project_in.weight": published.take("input_proj.weight")[..., 0],
        "project_out.weight": published.take("output_proj.weight")[..., 0],
    }
    for index in range(count(published, "codebooks")):
        book = published.under(f"codebooks.{index}")
        ours[f"rvq.layers.{index}.total"] = book.take("embed_sum")
        # A vector that nothing won is divided by so much.
        ours[f"rvq.layers.{index}.usage"] = book.take("cluster_usage").clamp(min=1e-5)
        ours[f"rvq.layers.{index}.started"] = book.take("initialized").bool().reshape(())
    return ours


def same_names(name: str) -> str:
    """A name of moshi or of transformers in the one set that both are turned into."""
    for pattern, replacement in SAME_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


CONVERTER = Converter("Mimi, kyutai-labs", "CC BY 4.0", recognises, convert)
