"""HiFi-Codec's published weights: three dictionaries, `encoder`, `quantizer` and `generator`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from wavelex.designs.convert.base import Converted, Converter
from wavelex.designs.convert.tensors import Tensors

SETTINGS = {"sampling_rate": "sample_rate", "resblock_dilation_sizes": "residual_dilations", "norm_channels": "norm_channels"}
"""What shapes cannot tell, by the published names; the channels of a group of the normalisation have none there."""


def _recognises(published: Tensors, config: Mapping[str, Any]) -> bool:
    return "quantizer.quantizer_modules2.0.embedding.weight" in published and "generator.conv_pre.bias" in published


def _convert(published: Tensors, config: Mapping[str, Any]) -> Converted:
    encoder, decoder = published.under("encoder"), published.under("generator")
    stages = _count(decoder.under("ups"))
    blocks = _count(decoder.under("resblocks")) // stages
    last = 3 * stages + 2
    ours = {
        **_convolution(encoder, "conv_pre", "encoder.network.layers.0.conv"),
        **_convolution(encoder, "conv_post", f"encoder.network.layers.{last}.conv"),
        **_convolution(decoder, "conv_pre", "decoder.network.layers.0.conv"),
        **_convolution(decoder, "conv_post", f"decoder.network.layers.{last}.conv"),
    }
    for stage in range(stages):
        down, mixed = f"encoder.network.layers.{3 * stage + 2}", f"encoder.network.layers.{3 * stage + 3}.module"
        up, mean = f"decoder.network.layers.{3 * stage + 2}", f"decoder.network.layers.{3 * stage + 3}"
        ours |= _convolution(encoder, f"ups.{stage}", f"{down}.conv")
        ours[f"{up}.conv.weight"], ours[f"{up}.bias"] = decoder.weight(f"ups.{stage}"), decoder.take(f"ups.{stage}.bias")
        for block in range(blocks):
            index = blocks * stage + block
            ours |= _block(encoder.under(f"resblocks.{index}"), f"{mixed}.blocks.{block}")
            ours |= {f"{mixed}.norms.{block}.{name}": encoder.take(f"normalize.{index}.{name}") for name in ("weight", "bias")}
            ours |= _block(decoder.under(f"resblocks.{index}"), f"{mean}.branches.{block}")
    layers = [published.under("quantizer.quantizer_modules"), published.under("quantizer.quantizer_modules2")]
    books = [layer.take(f"{group}.embedding.weight") for layer in layers for group in range(_count(layers[0]))]
    ours |= {f"quantizer.layers.{index}.weight": book for index, book in enumerate(books)}
    # How often codes were used of late is not published.
    ours |= {f"quantizer.layers.{index}.usage": book.new_ones(len(book)) for index, book in enumerate(books)}
    return Converted("hifi_codec", _arguments(ours, stages, blocks, len(books), config), ours)


def _arguments(ours: Mapping[str, Tensor], stages: int, blocks: int, books: int, config: Mapping[str, Any]) -> dict[str, Any]:
    kernels = [ours[f"decoder.network.layers.{3 * stage + 2}.conv.weight"].shape[2] for stage in range(stages)]
    reaches = [
        ours[f"decoder.network.layers.3.branches.{block}.layers.0.branches.1.layers.1.conv.weight"].shape[2] for block in range(blocks)
    ]
    return {
        "dim": ours["decoder.network.layers.0.conv.weight"].shape[1],
        "encoder_width": len(ours["encoder.network.layers.0.conv.weight"]),
        "decoder_width": len(ours["decoder.network.layers.0.conv.weight"]),
        # A kernel of twice the rate, one more where that is odd: (16, 11, 8, 4) for (8, 5, 4, 2).
        "rates": config.get("upsample_rates") or [kernel // 2 for kernel in kernels],
        "kernels": kernels,
        "residual_kernels": reaches,
        "groups": books // 2,
        "layers": 2,
        "size": len(ours["quantizer.layers.0.weight"]),
        **{argument: config[name] for name, argument in SETTINGS.items() if name in config},
    }


def _convolution(published: Tensors, name: str, to: str) -> dict[str, Tensor]:
    return {f"{to}.weight": published.weight(name), f"{to}.bias": published.take(f"{name}.bias")}


def _block(published: Tensors, to: str) -> dict[str, Tensor]:
    """A residual block: pairs of a dilated (`convs1`) and a plain convolution."""
    ours: dict[str, Tensor] = {}
    for unit in range(_count(published.under("convs1"))):
        ours |= _convolution(published, f"convs1.{unit}", f"{to}.layers.{unit}.branches.1.layers.1.conv")
        ours |= _convolution(published, f"convs2.{unit}", f"{to}.layers.{unit}.branches.1.layers.3.conv")
    return ours


def _count(published: Tensors) -> int:
    """Of numbered modules."""
    return len({name.partition(".")[0] for name in published.names()})


CONVERTER = Converter("HiFi-Codec, AcademiCodec", "MIT, as the readme of the released code says", _recognises, _convert)
