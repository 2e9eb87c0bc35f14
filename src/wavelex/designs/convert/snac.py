"""SNAC's checkpoints: the authors' own, a folder with a configuration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.dac_layers import Weights, codebook, conv, count, numbered, snake, stride, units, up
from wavelex.designs.convert.tensors import Tensors
from wavelex.errors import WavelexError


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    """By projected codebooks, no snake before the encoder's last convolution, and two convolutions before the decoder's first block."""
    ends = any(re.fullmatch(r"encoder\.block\.\d+\.alpha", name) for name in tensors.names())
    return "quantizer.quantizers.0.codebook.weight" in tensors and "decoder.model.1.bias" in tensors and not ends


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """See `Converter`. With `noise` false in the configuration, the decoder's noise is left out, whatever the checkpoint holds."""
    encoder, quantizer, decoder = tensors.under("encoder.block"), tensors.under("quantizer.quantizers"), tensors.under("decoder.model")
    blocks, ups, books = count(encoder, r"(\d+)\.block\."), count(decoder, r"(\d+)\.block\."), count(quantizer, r"(\d+)\.")
    attends = f"{blocks + 1}.to_qkv.weight" in encoder
    first = 3 if attends else 2
    noise = any(name.startswith(f"{first}.block.2.linear.") for name in decoder.names())
    wanted = bool(config.get("noise", noise))
    size, code_dim = quantizer.shape("0.codebook.weight")
    arguments: dict[str, Any] = {
        "strides": [stride(encoder, f"{block}.block.4") for block in range(1, blocks + 1)],
        "decoder_strides": [stride(decoder, f"{first + block}.block.1") for block in range(ups)],
        "periods": list(config.get("vq_strides", [2**book for book in range(books)][::-1])),
        "width": encoder.shape("0.bias")[0],
        "decoder_width": decoder.shape("1.bias")[0],
        "noise": noise and wanted,
        "size": size,
        "code_dim": code_dim,
        "sample_rate": config.get("sampling_rate", 24_000 if books == 3 else 44_100),
    }
    if attends:
        arguments["window"] = config.get("attn_window_size", 32)
        arguments["head_dim"] = 2 * encoder.shape(f"{blocks + 1}.rel_pos.inv_freq")[0]
    layers = [conv(decoder, "0"), conv(decoder, "1")] + ([_attention(decoder.under("2"))] if attends else [])
    for block in range(ups):
        layers += _up_block(decoder.under(f"{first + block}.block"), noise, wanted)
    layers += [snake(decoder, f"{first + ups}"), conv(decoder, f"{first + ups + 1}")]
    ours = {
        **numbered("encoder.network.layers", _encoder(encoder, blocks, attends)),
        **numbered("quantizer.layers", [codebook(quantizer.under(str(book))) for book in range(books)]),
        **numbered("decoder.network.layers", layers),
    }
    return Converted("snac_24k" if books == 3 else "snac_44k", arguments, ours)


def _encoder(tensors: Tensors, blocks: int, attends: bool) -> list[Weights]:
    layers = [conv(tensors, "0")]
    for number in range(1, blocks + 1):
        block = tensors.under(f"{number}.block")
        layers += [*units(block, range(3)), snake(block, "3"), conv(block, "4")]
    if attends:
        layers.append(_attention(tensors.under(f"{blocks + 1}")))
    return [*layers, conv(tensors, f"{blocks + 1 + attends}")]


def _up_block(block: Tensors, noise: bool, wanted: bool) -> list[Weights]:
    layers = [snake(block, "0"), up(block, "1")]
    if noise:
        amount = block.weight("2.linear")
        layers += [{"amount.weight": amount}] if wanted else []
    return layers + units(block, range(2 + noise, 5 + noise))


def _attention(tensors: Tensors) -> Weights:
    """`LocalAttention`. Its rotary rates, which are published as a tensor, must be the usual ones."""
    rates = tensors.take("rel_pos.inv_freq")
    usual = torch.exp(-math.log(10_000) * torch.arange(len(rates)) / len(rates))
    if not torch.allclose(rates, usual, rtol=1e-3):
        raise WavelexError("rel_pos.inv_freq holds other rotary rates than 10000 to the power of -i / n")
    return {
        "norm.weight": tensors.take("norm.weight"),
        "norm.bias": tensors.take("norm.bias"),
        "queries_keys_values.weight": tensors.take("to_qkv.weight"),
        "out.weight": tensors.take("to_out.weight"),
    }


CONVERTER = Converter("SNAC, hubertsiuzdak", "MIT", recognises, convert)
