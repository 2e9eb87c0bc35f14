"""Vocos for EnCodec's tokens: 24 kHz, 75 frames a second, up to 16 x 1024 codes (1.5, 3, 6 or 12 kbit/s).

samples -> causal SEANet 2 x 4 x 5 x 8 (32 to 512 channels) -> LSTM x 2 -> latents 128 -> RVQ 16 x 1024, all of it EnCodec's
samples <- inverse STFT 1280/320 <- magnitude, phase <- 8 x ConvNeXt 384 <- convolution over 7 frames <- latents 128 <-
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.vocos import VocosDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.recipe import Recipe, Stage


def vocos_encodec(
    sample_rate: int = 24_000,
    dim: int = 128,
    filters: int = 32,
    strides: Sequence[int] = (2, 4, 5, 8),
    size: int = 1024,
    rates: Sequence[int] = (2, 4, 8, 16),
    width: int = 384,
    hidden: int = 1152,
    blocks: int = 8,
    n_fft: int = 1280,
) -> CodecModel:
    """EnCodec's encoder and as many of its codebooks as Vocos knows, with the decoder of Vocos.

    `rates` are the numbers of codebooks that the decoder has a row of adaptive norms for. Look-ahead: encoder none, decoder 27 frames and
    480 samples; 380 ms in all.
    """
    encoder = SEANetEncoder(dim, filters, strides)
    decoder = VocosDecoder(dim, width, hidden, blocks, math.prod(strides), n_fft, rates)
    return CodecModel(encoder, ResidualVQ(dim, max(rates), size), decoder, sample_rate)


def recipe() -> Recipe:
    """The decoder alone, for one of four bit rates: encoder and codebooks must come from EnCodec (`wavelex convert`)."""
    objectives = {"log_mel": 45.0, "mpd": 1.0, "mpd_features": 1.0, "mrd": 1.0, "mrd_features": 1.0}
    return Recipe(
        (Stage("adversarial", 1_000_000, objectives, train=frozenset({"decoder"}), adversarial=True),),
        options={
            "log_mel": {"n_fft": 1024, "hop": 256, "bands": 100},
            # Discriminators too know the bit rate.
            "mpd": {"rates": [2, 4, 8, 16]},
            "mrd": {"rates": [2, 4, 8, 16]},
        },
        settings={
            "batch": 16,
            "learning_rate": 5e-4,
            "discriminator_rate": 5e-4,
            "betas": (0.9, 0.999),
            "warmup": 0,
            "final_rate": 0.0,
            # Published without.
            "clip": 1e9,
            "ema": 0.0,
            "prefix_odds": tuple(float(count in (2, 4, 8, 16)) for count in range(1, 17)),
        },
    )


DESIGN = Design(
    "vocos_encodec",
    Card(
        paper='Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders" (arXiv 2306.00814)',
        summary="Another decoder for the tokens of EnCodec: spectra at the frame rate instead of transposed convolutions.",
        aims_at="LibriTTS test-clean at 6 kbit/s: UTMOS 3.70, PESQ-WB 2.81, STOI .943; at 3 kbit/s: 3.54, 2.40, .923",
        parameters=15.41,
        licence="MIT; the weights of EnCodec that it needs have that of EnCodec",
        deviations=(
            "The bit rate is drawn for each clip; in the released code for a batch.",
            "Latents of another number of codebooks than the four take the norms of the next higher bit rate.",
        ),
    ),
    vocos_encodec,
    recipe,
    small={
        "sample_rate": 16_000,
        "dim": 64,
        "filters": 12,
        "strides": [2, 3, 6, 6],
        "rates": [2, 4, 8],
        "width": 160,
        "hidden": 480,
        "blocks": 4,
        "n_fft": 864,
    },
)
