"""Pocket TTS's audio tokenizer: Mimi's body with continuous latents, 12.5 frames of 32 numbers a second.

samples -> causal SEANet 120 -> 2 x transformer 512, window 1.25 s -> stride 16 -> latents 32 -> even steps, 6 bits a number
samples <- causal SEANet 120 <- 2 x transformer 512, window 1.25 s <- stride 16 <- linear 512 <- latents 32 <-
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.decoders.layered import LayeredDecoder
from wavelex.decoders.seanet import SEANetDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.layered import LayeredEncoder
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.transformer import TransformerLayer
from wavelex.quantizers.scalar import DimensionQuantizer
from wavelex.training.recipe import Recipe, Stage


def pocket_tts(
    sample_rate: int = 24_000,
    width: int = 512,
    filters: int = 64,
    strides: Sequence[int] = (4, 5, 6),
    stride: int = 16,
    layers: int = 2,
    hidden: int = 2048,
    heads: int = 8,
    context: int = 250,
    dim: int = 32,
    bits: int = 6,
) -> CodecModel:
    """Causal throughout. `context` is in steps of the transformers, `stride` of which make a frame; a number is coded with `bits` bits."""
    shared: dict[str, Any] = {
        "dim": width,
        "filters": filters,
        "strides": strides,
        "last_kernel": 3,
        "shortcut": False,
        "lstm": 0,
        "padding": "zeros",
    }
    transformers = [
        [TransformerLayer(width, hidden, heads, context, activation="gelu_tanh", scale=0.01) for _ in range(layers)]
        for _ in ("encoder", "decoder")
    ]
    encoder = LayeredEncoder(
        dim,
        SEANetEncoder(**shared).network,
        *transformers[0],
        PaddedConv1d(width, dim, 2 * stride, stride, left=stride, mode="replicate", fill=True, bias=False),
    )
    decoder = LayeredDecoder(
        dim,
        PaddedConv1d(dim, width, 1, bias=False),
        PaddedConvTranspose1d(width, width, 2 * stride, stride, groups=width, right=stride, bias=False),
        *transformers[1],
        SEANetDecoder(**shared).network,
    )
    return CodecModel(encoder, DimensionQuantizer(dim, bits), decoder, sample_rate)


def recipe() -> Recipe:
    """Distances in time and frequency, discriminators, and the penalty of a variational autoencoder on the latents."""
    return Recipe(
        (
            Stage(
                "adversarial",
                1_000_000,
                {"waveform": 0.1, "multi_mel": 2.0, "ms_stft": 4.0, "ms_stft_features": 4.0, "commitment": 0.01},
                adversarial=True,
                start="kmeans",
            ),
        ),
        options={"ms_stft": {"loss": "hinge"}},
        settings={
            "batch": 64,
            "segment_seconds": 12.0,
            "learning_rate": 8e-4,
            "betas": (0.5, 0.9),
            "weight_decay": 0.05,
            "ema": 0.99,
            "balance": True,
            "prefix_odds": (0.0,) * 31 + (1.0,),
        },
    )


DESIGN = Design(
    "pocket_tts",
    Card(
        paper='Rouard et al., "Continuous audio language models" (arXiv 2509.06926), and the class of transformers',
        summary="Mimi with few transformer layers and continuous latents, for language models that predict vectors.",
        aims_at="no figures of the tokenizer alone are published",
        parameters=20.1,
        licence="CC BY 4.0",
        deviations=(
            "Latents are continuous as published for those who ask for them; files and tokens hold them in even steps, 6 bits a number,"
            " over four times their spread. Converted weights do not say that spread; it is 1 until the quantizer is started on latents.",
            "No teacher (WavLM) is distilled into the latents, the variance is fixed, and steps and weights of the losses are choices.",
        ),
    ),
    pocket_tts,
    recipe,
    small={
        "sample_rate": 16_000,
        "width": 128,
        "filters": 16,
        "strides": (4, 4, 5),
        "hidden": 512,
        "heads": 4,
        "context": 200,
        "dim": 16,
    },
)
