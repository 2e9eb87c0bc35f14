"""Firefly's grouped FSQ: 44.1 kHz, 8 groups of finite scalars, 1000 codes each, 21.5 frames a second (1.72 kbit/s).

samples -> log-mel 160, hop 512 -> 3, 3, 9, 3 x ConvNeXt 128, 256, 384, 512 -> 2 x (/2, ConvNeXt) -> latents 512 -> 8 x FSQ 8 5 5 5
samples <- HiFi-GAN 8 x 8 x 2 x 2 x 2 (512 to 16 channels) <- 2 x (ConvNeXt, x2) <- latents 512 <-
"""

from __future__ import annotations

from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.hifigan import HiFiGANDecoder
from wavelex.decoders.layered import LayeredDecoder
from wavelex.designs.base import Card, Design
from wavelex.designs.discriminators import DAC_DISCRIMINATORS
from wavelex.encoders.layered import LayeredEncoder
from wavelex.nn.convnext import ConvNeXtBlock, Pointwise
from wavelex.nn.log_mel import LogMel
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.streaming import Streaming
from wavelex.quantizers.finite_scalar import FiniteScalar
from wavelex.training.recipe import Recipe, Stage


def fsq_codec(
    sample_rate: int = 44_100,
    n_fft: int = 2048,
    bands: int = 160,
    depths: Sequence[int] = (3, 3, 9, 3),
    widths: Sequence[int] = (128, 256, 384, 512),
    halvings: int = 2,
    levels: Sequence[int] = (8, 5, 5, 5),
    groups: int = 8,
    width: int = 512,
    rates: Sequence[int] = (8, 8, 2, 2, 2),
    kernels: Sequence[int] = (16, 16, 4, 4, 4),
) -> CodecModel:
    """The hop of the spectra is the product of the vocoder's `rates`; each of the `halvings` doubles that of a frame."""
    vocoder = HiFiGANDecoder(widths[-1], width, rates, kernels, first_kernel=13, last_kernel=13)
    dim = widths[-1]
    down: list[Streaming] = [
        LogMel(sample_rate, n_fft, vocoder.hop_length, bands),
        PaddedConv1d(bands, widths[0], 7, left=6, fill=True),
    ]
    for index, (depth, channels) in enumerate(zip(depths, widths, strict=True)):
        if index:
            down.append(Pointwise(widths[index - 1], channels, norm=True))
        down += [ConvNeXtBlock(channels, 4 * channels) for _ in range(depth)]
    down.append(Pointwise(dim, dim, norm=True))
    up: list[Streaming] = []
    for _ in range(halvings):
        down += [PaddedConv1d(dim, dim, 2, 2, fill=True), ConvNeXtBlock(dim, 4 * dim)]
        up += [PaddedConvTranspose1d(dim, dim, 2, 2), ConvNeXtBlock(dim, 4 * dim)]
    quantizer = FiniteScalar(dim, levels, groups, form="tanh twice")
    return CodecModel(LayeredEncoder(dim, *down), quantizer, LayeredDecoder(dim, *up, vocoder.network, pads=True), sample_rate)


def recipe() -> Recipe:
    """Against discriminators of periods and spectra. The quantizer itself asks for nothing."""
    objectives = {"multi_mel": 15.0, "mpd": 1.0, "mpd_features": 2.0, "complex_mrd": 1.0, "complex_mrd_features": 2.0}
    return Recipe(
        (Stage("codec", 1_000_000, objectives, adversarial=True),),
        options=DAC_DISCRIMINATORS,
        settings={"batch": 16, "segment_seconds": 1.0, "learning_rate": 1e-4, "betas": (0.8, 0.99), "prefix_odds": (0.0,) * 7 + (1.0,)},
    )


DESIGN = Design(
    "fsq_codec",
    Card(
        paper='Liao et al., "Fish-Speech" (arXiv 2411.01156), its Firefly-GAN',
        summary="Grouped finite scalars: eight small grids in place of codebooks, which none can fall out of, at 21.5 frames a second.",
        aims_at="no reconstruction figures are published; the codes of Fish-Speech 1.4 and 1.5",
        licence="CC BY-NC-SA 4.0",
        deviations=(
            "Losses, their weights and the discriminators of the published training are not known; these are DAC's.",
            "A linear layer follows the encoder's last norm.",
            "HiFi-GAN's convolutions are centred and its rectifiers leaky, in the released code causal with sigmoid-weighted linear units.",
            "The ends of the signal are silence to the spectra, which the released code reflects.",
        ),
        covers=('Mentzer et al., "Finite Scalar Quantization" (arXiv 2309.15505)',),
    ),
    fsq_codec,
    recipe,
    small={
        "sample_rate": 16_000,
        "n_fft": 640,
        "bands": 80,
        "depths": [1, 1, 2, 1],
        "widths": [64, 96, 128, 160],
        "width": 96,
        "rates": [5, 4, 4, 2],
        "kernels": [10, 8, 8, 4],
    },
)
