"""snac_24k and snac_44k: coarse codes are rarer than fine ones, 4096 codes at 12, 23 and 47 (or 14 to 115) a second (1 or 2.6 kbit/s).

samples -> 4 x (3 dilated depthwise units, snake, strided convolution) [-> attention] -> latents -> residual codebooks at 3 or 4 rates
samples <- tanh, snake <- 4 x (snake, up-sampling convolution, noise, 3 dilated depthwise units) [<- attention] <- latents <-
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.decoders.dac import DACDecoder
from wavelex.designs.base import Card, Design
from wavelex.designs.discriminators import DAC_DISCRIMINATORS
from wavelex.encoders.dac import DACEncoder
from wavelex.nn.local_attention import LocalAttention
from wavelex.quantizers.multiscale import MultiScaleVQ
from wavelex.training.recipe import Recipe, Stage


def snac(
    sample_rate: int = 24_000,
    strides: Sequence[int] = (2, 4, 8, 8),
    periods: Sequence[int] = (4, 2, 1),
    width: int = 48,
    decoder_width: int = 1024,
    decoder_strides: Sequence[int] | None = None,
    window: int | None = None,
    head_dim: int = 64,
    noise: bool = True,
    size: int = 4096,
    code_dim: int = 8,
) -> CodecModel:
    """DAC's encoder and decoder with depthwise convolutions, around a codebook for each of `periods` (in frames of the encoder).

    `window` frames see each other by attention, with heads of `head_dim` channels; without, there is none. `noise` is what the decoder
    adds after each up-sampling. A frame of codes is a superframe of whole periods and whole windows.
    """
    dim, superframe = width * 2 ** len(strides), math.lcm(*periods, window or 1)

    def context(channels: int) -> LocalAttention | None:
        return LocalAttention(channels, window, head_dim) if window else None

    encoder = DACEncoder(dim, width, strides, context=context(dim), depthwise=True, multiple=superframe)
    quantizer = MultiScaleVQ(dim, periods, size, code_dim, superframe)
    decoder = DACDecoder(dim, decoder_width, decoder_strides or strides[::-1], context=context(decoder_width), depthwise=True, noise=noise)
    return CodecModel(encoder, quantizer, decoder, sample_rate)


def recipe() -> Recipe:
    """One stage with everything from the first step, always with all codebooks."""
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
            "segment_seconds": 0.75,
            "learning_rate": 1e-4,
            "discriminator_rate": 1e-4,
            "betas": (0.8, 0.99),
            "weight_decay": 0.01,
            "warmup": 0,
            "schedule": "exponential",
            "final_rate": 0.2,
            "clip": 1000.0,
            "ema": 0.0,
            # For any number of slots up to as many: only the last of them.
            "prefix_odds": (*(0.0,) * 63, 1.0),
        },
    )


def _design(name: str, build: Callable[..., CodecModel], parameters: float, small: Mapping[str, Any]) -> Design:
    card = Card(
        paper='Siuzdak et al., "SNAC: Multi-Scale Neural Audio Codec" (arXiv 2410.14411)',
        summary="Residual codebooks at several frame rates, the coarse ones slower: few tokens a second for what changes slowly.",
        aims_at="listening tests of the paper (figures 2 and 3); no table of objective measures is common to others",
        parameters=parameters,
        licence="MIT",
        deviations=(
            "The decoder's noise depends on a seed and the place in the signal, where the published draws it anew at every call.",
            "Training code was not published; losses and settings are those of DAC, which the paper builds on, with segments of 0.75 s.",
        ),
    )
    return Design(name, card, build, recipe, {"sample_rate": 16_000, **small})


SNAC_24K = _design("snac_24k", snac, 19.8, {"strides": [2, 4, 6, 7], "width": 16, "decoder_width": 320})
SNAC_44K = _design(
    "snac_44k",
    partial(snac, sample_rate=44_100, strides=(2, 3, 8, 8), periods=(8, 4, 2, 1), width=64, decoder_width=1536, window=32),
    54.5,
    {"strides": [2, 2, 5, 7], "width": 16, "decoder_width": 320},
)
