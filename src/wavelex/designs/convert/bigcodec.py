"""BigCodec's checkpoints: the authors' file with two networks, or one of their training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.dac_layers import Weights, codebook, conv, count, numbered, stride, units, up
from wavelex.designs.convert.tensors import Tensors
from wavelex.nn.snake import TAPS, phases


def recognises(tensors: Tensors, config: Mapping[str, Any]) -> bool:
    """By the name of its encoder."""
    return "CodecEnc.block.0.bias" in tensors or "model.CodecEnc.block.0.bias" in tensors


def convert(tensors: Tensors, config: Mapping[str, Any]) -> Converted:
    """See `Converter`."""
    root = tensors.under("model") if "model.CodecEnc.block.0.bias" in tensors else tensors
    # Of a training run, what the codec does without.
    root.skip(name for name in root.names() if name.startswith(("discriminator.", "spec_discriminator.")))
    encoder, quantizer, decoder = root.under("CodecEnc.block"), root.under("generator.quantizer.layers"), root.under("generator.model")
    blocks, ups, books = count(encoder, r"(\d+)\.block\."), count(decoder, r"(\d+)\.block\."), count(quantizer, r"(\d+)\.")
    memory = count(encoder, r"\d+\.lstm\.weight_ih_l(\d+)$")
    dilations = config.get("codec_encoder", {}).get("dilations", (1, 3, 9))
    size, code_dim = quantizer.shape("0._codebook.weight")
    first = 2 if memory else 1
    arguments: dict[str, Any] = {
        "strides": [stride(encoder, f"{block}.block.{len(dilations) + 1}") for block in range(1, blocks + 1)],
        "decoder_strides": [stride(decoder, f"{first + block}.block.1") for block in range(ups)],
        "width": encoder.shape("0.bias")[0],
        "decoder_width": decoder.shape("0.bias")[0],
        "dim": encoder.shape(f"{blocks + first + 1}.bias")[0],
        "layers": memory,
        "dilations": list(dilations),
        "codebooks": books,
        "size": size,
        "code_dim": code_dim,
    }
    ours = {
        **numbered("encoder.network.layers", _encoder(encoder, blocks, len(dilations), bool(memory))),
        **numbered("quantizer.layers", [codebook(quantizer.under(str(book)), "_codebook.weight") for book in range(books)]),
        **numbered("decoder.network.layers", _decoder(decoder, ups, len(dilations), bool(memory))),
    }
    return Converted("bigcodec", arguments, ours)


def _encoder(tensors: Tensors, blocks: int, residual: int, memory: bool) -> list[Weights]:
    layers = [conv(tensors, "0")]
    for number in range(1, blocks + 1):
        block = tensors.under(f"{number}.block")
        layers += [*units(block, range(residual), _activation), _activation(block, f"{residual}"), conv(block, f"{residual + 1}")]
    layers += [_lstm(tensors.under(f"{blocks + 1}"))] if memory else []
    return [*layers, _activation(tensors, f"{blocks + memory + 1}"), conv(tensors, f"{blocks + memory + 2}")]


def _decoder(tensors: Tensors, blocks: int, residual: int, memory: bool) -> list[Weights]:
    layers = [conv(tensors, "0")] + ([_lstm(tensors.under("1"))] if memory else [])
    for number in range(1 + memory, 1 + memory + blocks):
        block = tensors.under(f"{number}.block")
        layers += [_activation(block, "0"), up(block, "1"), *units(block, range(2, 2 + residual), _activation)]
    return [*layers, _activation(tensors, f"{blocks + memory + 1}"), conv(tensors, f"{blocks + memory + 2}")]


def _activation(tensors: Tensors, name: str) -> Weights:
    """`AliasFreeSnake`, with the filters of the checkpoint."""
    filters = {place: tensors.take(f"{name}.{place}.filter", 1, 1, TAPS) for place in ("upsample", "downsample.lowpass")}
    return {
        "alpha": tensors.take(f"{name}.act.alpha"),
        "beta": tensors.take(f"{name}.act.beta"),
        "up.conv.weight": phases(filters["upsample"].flatten()),
        "down.conv.weight": filters["downsample.lowpass"],
    }


def _lstm(tensors: Tensors) -> Weights:
    return {name: tensors.take(name) for name in tensors.names()}


CONVERTER = Converter("BigCodec, Aria-K-Alethia", "MIT", recognises, convert)
