"""Mimi: a streaming codec at 12.5 frames a second, with transformers and a semantic first codebook (Moshi's).

samples -> causal SEANet 960 -> 8 x transformer 512, window 10 s -> stride 2 -> latents 512 -> 1 x 2048 beside RVQ 31 x 2048
samples <- causal SEANet 960 <- 8 x transformer 512, window 10 s <- stride 2 <- latents 512 <-
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
from wavelex.quantizers.noise import Perturbed
from wavelex.quantizers.split import SplitRVQ
from wavelex.training.recipe import Recipe, Stage


def mimi(
    sample_rate: int = 24_000,
    dim: int = 512,
    filters: int = 64,
    strides: Sequence[int] = (4, 5, 6, 8),
    stride: int = 2,
    layers: int = 8,
    hidden: int = 2048,
    heads: int = 8,
    context: int = 250,
    codebooks: int = 32,
    size: int = 2048,
    inner: int = 256,
    semantic: int = 1,
    skip: float = 0.5,
    fill: bool = False,
) -> CodecModel:
    """Causal throughout, so there is no look-ahead. `context` is in steps of the transformers, `stride` of which make a frame.

    The first `semantic` codebooks have linear maps to `inner` channels of their own. In training, clips are decoded from their latents as
    they are with the chance `skip`. The last frame of a signal is completed by silence, as in the authors' code; with `fill`, by each
    convolution for itself, as in transformers.
    """
    shared: dict[str, Any] = {
        "dim": dim,
        "filters": filters,
        "strides": strides,
        "last_kernel": 3,
        "shortcut": False,
        "lstm": 0,
        "padding": "zeros",
    }
    transformers = [[TransformerLayer(dim, hidden, heads, context, scale=0.01) for _ in range(layers)] for _ in ("encoder", "decoder")]
    encoder = LayeredEncoder(
        dim,
        SEANetEncoder(**shared).network,
        *transformers[0],
        PaddedConv1d(dim, dim, 2 * stride, stride, left=stride, mode="replicate", fill=True, bias=False),
        pads=fill,
    )
    decoder = LayeredDecoder(
        dim,
        PaddedConvTranspose1d(dim, dim, 2 * stride, stride, groups=dim, right=stride, bias=False),
        *transformers[1],
        SEANetDecoder(**shared).network,
    )
    quantizer = Perturbed(SplitRVQ(dim, codebooks, size, inner, semantic), dim, replace=0.0, skip=skip)
    return CodecModel(encoder, quantizer, decoder, sample_rate)


def recipe() -> Recipe:
    """What discriminators feel and nothing else, which listeners preferred by far; `reconstruction` adds distances, given steps.

    From the paper, sections 3.3 and 4.1: 4 million steps, batches of 128 stretches of 12 s, AdamW. Weights of losses: audiocraft's EnCodec.
    """
    adversarial = {"ms_stft": 4.0, "ms_stft_features": 4.0, "commitment": 1.0}
    return Recipe(
        (
            Stage("reconstruction", 0, {**adversarial, "waveform": 0.1, "multi_mel": 2.0}, adversarial=True, start="kmeans"),
            Stage("adversarial", 4_000_000, adversarial, adversarial=True, start="kmeans"),
        ),
        options={"ms_stft": {"loss": "hinge"}},
        settings={
            "batch": 128,
            "segment_seconds": 12.0,
            "learning_rate": 8e-4,
            "betas": (0.5, 0.9),
            "weight_decay": 0.05,
            "ema": 0.99,
            "balance": True,
            "prefix_odds": (1.0,),
        },
    )


DESIGN = Design(
    "mimi",
    Card(
        paper='Défossez et al., "Moshi: a speech-text foundation model for real-time dialogue" (arXiv 2410.00037), section 3.3',
        summary="Streams at 12.5 frames a second; its first codebook has projections of its own and is meant for what is said.",
        aims_at="LibriSpeech test-clean at 1.1 kbit/s: STOI .91, PESQ-WB 2.25, speaker similarity .74",
        parameters=79.3,
        licence="CC BY 4.0",
        deviations=(
            "No teacher (WavLM) is distilled into the first codebook: trained here it codes sound like the others; converted weights keep"
            " what they were taught.",
            "The weights of the losses are not published; those of audiocraft's EnCodec, with its balancer, stand in.",
            "Weight decay is on all parameters, not on those of the transformers alone.",
            "Codes count as dead below 3% of the mean use, not 10%.",
            "Streams give what whole signals give however long they are; in the authors' code a full cache loses the oldest key of a step.",
        ),
    ),
    mimi,
    recipe,
    small={
        "sample_rate": 16_000,
        "dim": 128,
        "filters": 16,
        "strides": (4, 4, 5, 8),
        "layers": 2,
        "hidden": 512,
        "heads": 4,
        "context": 50,
        "codebooks": 8,
        "size": 1024,
        "inner": 64,
    },
)
