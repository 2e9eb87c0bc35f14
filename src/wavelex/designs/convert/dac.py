"""DAC's checkpoints: descriptinc's own files, and transformers' `DacModel`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.dac_layers import Weights, codebook, conv, count, numbered, snake, stride, units, up
from wavelex.designs.convert.tensors import Tensors

RATES = {16_000: "dac_16k", 24_000: "dac_24k", 44_100: "dac_44k"}


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    """By the snake before the encoder's last convolution, which SNAC lacks, and the projected codebooks."""
    ends = any(re.fullmatch(r"encoder\.(block\.\d+|snake1)\.alpha", name) for name in tensors.names())
    return ends and "quantizer.quantizers.0.codebook.weight" in tensors


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """See `Converter`."""
    if "encoder.conv1.bias" in tensors:
        tensors = _renamed(tensors)
    encoder, quantizer, decoder = tensors.under("encoder.block"), tensors.under("quantizer.quantizers"), tensors.under("decoder.model")
    blocks, ups, books = count(encoder, r"(\d+)\.block\."), count(decoder, r"(\d+)\.block\."), count(quantizer, r"(\d+)\.")
    size, code_dim = quantizer.shape("0.codebook.weight")
    arguments: dict[str, Any] = {
        "strides": [stride(encoder, f"{block}.block.4") for block in range(1, blocks + 1)],
        "decoder_strides": [stride(decoder, f"{block}.block.1") for block in range(1, ups + 1)],
        "codebooks": books,
        "width": encoder.shape("0.bias")[0],
        "decoder_width": decoder.shape("0.bias")[0],
        "dim": encoder.shape(f"{blocks + 2}.bias")[0],
        "size": size,
        "code_dim": code_dim,
    }
    arguments["sample_rate"] = config.get("sample_rate", config.get("sampling_rate", _usual_rate(arguments)))
    ours = {
        **numbered("encoder.network.layers", _encoder(encoder, blocks)),
        **numbered("quantizer.layers", [codebook(quantizer.under(str(book))) for book in range(books)]),
        **numbered("decoder.network.layers", _decoder(decoder, ups)),
    }
    tensors.done()
    return Converted(RATES.get(arguments["sample_rate"], "dac_44k"), arguments, ours)


def _usual_rate(arguments: Mapping[str, Any]) -> int:
    """Of the published model with these sizes."""
    if arguments["strides"] == [2, 4, 8, 8]:
        return 44_100
    return 24_000 if arguments["codebooks"] > 12 else 16_000


def _encoder(tensors: Tensors, blocks: int) -> list[Weights]:
    layers = [conv(tensors, "0")]
    for number in range(1, blocks + 1):
        block = tensors.under(f"{number}.block")
        layers += [*units(block, range(3)), snake(block, "3"), conv(block, "4")]
    return [*layers, snake(tensors, f"{blocks + 1}"), conv(tensors, f"{blocks + 2}")]


def _decoder(tensors: Tensors, blocks: int) -> list[Weights]:
    layers = [conv(tensors, "0")]
    for number in range(1, blocks + 1):
        block = tensors.under(f"{number}.block")
        layers += [snake(block, "0"), up(block, "1"), *units(block, range(2, 5))]
    return [*layers, snake(tensors, f"{blocks + 1}"), conv(tensors, f"{blocks + 2}")]


def _renamed(tensors: Tensors) -> Tensors:
    """transformers' names as descriptinc's, which number the same layers in the same order."""
    ends = {part: count(tensors, rf"{part}\.block\.(\d+)\.") for part in ("encoder", "decoder")}
    return Tensors({_their_name(name, ends): tensors.take(name) for name in tensors.names()})


def _their_name(name: str, ends: Mapping[str, int]) -> str:
    part, _, rest = name.partition(".")
    if part not in ends:
        return name
    inside = {"encoder": {"snake1": 3, "conv1": 4}, "decoder": {"snake1": 0, "conv_t1": 1}}[part]
    first_unit = 0 if part == "encoder" else 2
    rest = re.sub(r"^conv1\.", "0.", rest)
    rest = re.sub(r"^snake1\.", f"{ends[part] + 1}.", rest)
    rest = re.sub(r"^conv2\.", f"{ends[part] + 2}.", rest)
    if block := re.match(r"block\.(\d+)\.(.+)", rest):
        within = block[2]
        if unit := re.match(r"res_unit(\d)\.(snake|conv)(\d)\.(.+)", within):
            place = 2 * (int(unit[3]) - 1) + (unit[2] == "conv")
            within = f"{first_unit + int(unit[1]) - 1}.block.{place}.{unit[4]}"
        else:
            layer, _, tensor = within.partition(".")
            within = f"{inside.get(layer, layer)}.{tensor}"
        rest = f"{int(block[1]) + 1}.block.{within}"
    return f"{part}.{'block' if part == 'encoder' else 'model'}.{rest}"


CONVERTER = Converter("DAC, descriptinc", "MIT", recognises, convert)
