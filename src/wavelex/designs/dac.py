"""dac_44k, dac_24k and dac_16k: the codec that many others are built on; any sound, 1024 x 9 to 32 codes (0.5 to 24 kbit/s).

samples -> 4 x (3 dilated residual units, snake, strided convolution) -> latents 1024 -> residual codebooks, lookup in 8 dimensions
samples <- tanh, snake <- 4 x (snake, up-sampling convolution, 3 dilated residual units) <- latents 1024 <-
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from wavelex.codec.model import CodecModel
from wavelex.decoders.dac import DACDecoder
from wavelex.designs.base import Card, Design
from wavelex.designs.discriminators import DAC_DISCRIMINATORS
from wavelex.encoders.dac import DACEncoder
from wavelex.quantizers.factorised import FactorisedVQ
from wavelex.training.recipe import Recipe, Stage


def dac(
    sample_rate: int = 44_100,
    strides: Sequence[int] = (2, 4, 8, 8),
    codebooks: int = 9,
    width: int = 64,
    decoder_width: int = 1536,
    decoder_strides: Sequence[int] | None = None,
    dim: int | None = None,
    size: int = 1024,
    code_dim: int = 8,
) -> CodecModel:
    """Convolutional encoder and decoder, not causal, around a factorised residual quantizer.

    `width` channels at first in the encoder, `decoder_width` in the decoder, whose strides are those of the encoder in reverse unless
    given; latents of `dim` numbers, as many as the encoder's last channels unless given.
    """
    dim = dim or width * 2 ** len(strides)
    encoder = DACEncoder(dim, width, strides)
    quantizer = FactorisedVQ(dim, codebooks, size, code_dim)
    decoder = DACDecoder(dim, decoder_width, decoder_strides or strides[::-1], whole=False)
    return CodecModel(encoder, quantizer, decoder, sample_rate)


def recipe(codebooks: int) -> Recipe:
    """One stage with everything from the first step. Half of the clips are coded with all codebooks, half with any number of them."""
    return Recipe(
        (
            Stage(
                "all",
                400_000,
                {
                    "multi_mel": 15.0,
                    "commitment": 1.0,
                    "mpd": 1.0,
                    "mpd_features": 2.0,
                    "complex_mrd": 1.0,
                    "complex_mrd_features": 2.0,
                },
                adversarial=True,
            ),
        ),
        options=DAC_DISCRIMINATORS,
        settings={
            "batch": 72,
            "segment_seconds": 0.38,
            "learning_rate": 1e-4,
            "discriminator_rate": 1e-4,
            "betas": (0.8, 0.99),
            "weight_decay": 0.01,
            "warmup": 0,
            "schedule": "exponential",
            "final_rate": 0.2,
            "clip": 1000.0,
            "ema": 0.0,
            "prefix_odds": (*(0.5 / codebooks,) * (codebooks - 1), 0.5 + 0.5 / codebooks),
        },
    )


def _design(name: str, build: Callable[..., CodecModel], codebooks: int, parameters: float, small_strides: Sequence[int]) -> Design:
    card = Card(
        paper='Kumar et al., "High-fidelity audio compression with improved RVQGAN" (arXiv 2306.06546)',
        summary="Periodic activations and lookup by direction in 8 dimensions, by which all of every codebook is used.",
        aims_at="DAC paper, table 3 (44.1 kHz): ViSQOL 4.18 at 8 kbit/s, 3.76 at 1.8 kbit/s",
        parameters=parameters,
        licence="MIT",
        deviations=(
            "An odd stride of the decoder loses its last step, as published; the samples that then lack at the end are silence.",
            "Weights begin as torch's layers do, not with a standard deviation of 0.02, which weight normalisation made harmless.",
            "One limit on the norm of gradients holds for codec and discriminators; published are 1000 and 10.",
            "Neither is loudness made equal nor are clips drawn from balanced kinds of sound: data are the user's.",
        ),
    )
    small = {"sample_rate": 16_000, "strides": list(small_strides), "width": 16, "decoder_width": 240}
    return Design(name, card, build, partial(recipe, codebooks), small)


DAC_16K = _design("dac_16k", partial(dac, sample_rate=16_000, strides=(2, 4, 5, 8), codebooks=12), 12, 74.1, (2, 4, 5, 8))
DAC_24K = _design("dac_24k", partial(dac, sample_rate=24_000, strides=(2, 4, 5, 8), codebooks=32), 32, 74.7, (2, 3, 6, 6))
DAC_44K = _design("dac_44k", dac, 9, 76.6, (3, 3, 3, 7))
