"""SimVQ's speech codec: 24 kHz, one codebook of 65,536 of which nearly all are used, 75 frames a second (1.2 kbit/s).

samples -> causal SEANet 2 x 4 x 5 x 8 (32 to 512 channels) -> LSTM x 2 -> latents 512 -> SimVQ 65536
samples <- inverse STFT, 4 hops <- magnitude, phase <- 12 x ConvNeXt 768 <- attention <- convolution over 7 frames <- latents 512 <-
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.vocos import VocosDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.sim import SimVQ
from wavelex.training.recipe import Recipe, Stage


def simvq_codec(
    sample_rate: int = 24_000,
    dim: int = 512,
    filters: int = 32,
    strides: Sequence[int] = (2, 4, 5, 8),
    size: int = 65_536,
    gradient: str = "straight",
    width: int = 768,
    hidden: int = 2304,
    blocks: int = 12,
    n_fft: int = 1280,
) -> CodecModel:
    """WavTokenizer with a causal encoder and another codebook; published with 1024 to 262,144 codes. Decoding needs the whole utterance."""
    encoder = SEANetEncoder(dim, filters, strides)
    decoder = VocosDecoder(dim, width, hidden, blocks, math.prod(strides), n_fft, attention=True)
    return CodecModel(encoder, SimVQ(dim, 1, size, gradient, bias=True), decoder, sample_rate)


def recipe() -> Recipe:
    """Against discriminators from the first step, 20 clips of a second, 50 epochs of LibriTTS."""
    objectives = {
        "log_mel": 45.0,
        "commitment": 1000.0,
        "mpd": 1.0,
        "mpd_features": 1.0,
        "mrd": 1.0,
        "mrd_features": 1.0,
        "complex_mrd": 1.0,
        "complex_mrd_features": 1.0,
    }
    return Recipe(
        (Stage("codec", 850_000, objectives, adversarial=True),),
        options={
            "log_mel": {"n_fft": 1024, "hop": 256, "bands": 100},
            "complex_mrd": {"loss": "least_squares", "average": False, "first_map": True, "logits_map": False},
        },
        settings={
            "batch": 20,
            "segment_seconds": 1.0,
            "learning_rate": 1e-4,
            "discriminator_rate": 1e-4,
            "schedule": "constant",
            "betas": (0.5, 0.9),
            "weight_decay": 0.0,
            "ema": 0.9999,
            "prefix_odds": (1.0,),
        },
    )


DESIGN = Design(
    "simvq_codec",
    Card(
        paper='Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer" (arXiv 2411.02038)',
        summary="A frozen codebook behind a trained linear map: all vectors move together, so that large codebooks stay in use.",
        aims_at="LibriTTS test-clean with 65,536 codes, 1.2 kbit/s: UTMOS 4.03, PESQ 2.54, STOI .93, 99% of the codes in use",
        licence="MIT",
        deviations=(
            "The learning rate warms up, as the codec is known to give NaN at the start without.",
            "Of DAC's discriminators there is that of complex spectra.",
            "Steps are 50 epochs of LibriTTS as one device has them; the paper does not say how many it used.",
        ),
    ),
    simvq_codec,
    recipe,
    small={
        "sample_rate": 16_000,
        "dim": 64,
        "filters": 12,
        "strides": [2, 3, 6, 6],
        "size": 4096,
        "width": 128,
        "hidden": 384,
        "blocks": 4,
        "n_fft": 864,
    },
)
