"""EnCodec at 24 kHz: causal, 75 frames a second, up to 32 x 1024 codes (0.75 kbit/s each).

samples -> SEANet 32 filters, strides 2 4 5 8, 2 x LSTM 512 -> latents 128 -> RVQ 32 x 1024
samples <- SEANet 32 filters, strides 8 5 4 2, 2 x LSTM 512 <- latents 128 <-
"""

from __future__ import annotations

from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.decoders.seanet import SEANetDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.recipe import Recipe, Stage


def encodec_24k(codebooks: int = 32, size: int = 1024, sample_rate: int = 24_000, **seanet: Any) -> CodecModel:
    """`seanet` are arguments of `SEANetEncoder`, for encoder and decoder alike; nothing given is the published size."""
    encoder, decoder = SEANetEncoder(**seanet), SEANetDecoder(**seanet)
    return CodecModel(encoder, ResidualVQ(encoder.dim, codebooks, size), decoder, sample_rate)


def recipe() -> Recipe:
    """One stage with discriminators, 300 epochs of 2000 steps; the paper's weights (section 4.4) are shares of the gradient."""
    objectives = {"waveform": 0.1, "multi_mel": 1.0, "commitment": 1.0, "ms_stft": 3.0, "ms_stft_features": 3.0}
    bandwidths = {2: 0.2, 4: 0.2, 8: 0.2, 16: 0.2, 32: 0.2}
    return Recipe(
        (Stage("codec", 600_000, objectives, adversarial=True, start="kmeans"),),
        options={
            "multi_mel": {
                "windows": [64, 128, 256, 512, 1024, 2048],
                "bands": [64] * 6,
                "scale": "htk",
                "magnitude": 1.0,
                "squared": True,
            }
        },
        settings={
            "batch": 64,
            "segment_seconds": 1.0,
            "learning_rate": 3e-4,
            "discriminator_rate": 3e-4,
            "betas": (0.5, 0.9),
            "weight_decay": 0.0,
            "schedule": "constant",
            "balance": True,
            "ema": 0.99,
            "prefix_odds": tuple(bandwidths.get(count, 0.0) for count in range(1, 33)),
        },
    )


DESIGN = Design(
    "encodec_24k",
    Card(
        paper='Défossez et al., "High Fidelity Neural Audio Compression" (arXiv 2210.13438)',
        summary="Causal convolutions and recurrence over samples around residual quantization, and the discriminator of complex STFTs.",
        aims_at="LibriTTS test-clean at 6 kbit/s: PESQ 2.72, STOI .939, UTMOS 3.04 (as measured by the authors of Language-Codec)",
        parameters=14.85,
        licence="MIT, with the released code",
        deviations=(
            "Discriminators learn in every step, not in two of three.",
            "The number of codebooks is drawn for every item, not for every batch.",
            "Commitment reaches the encoder from every codebook, in the released code from the first alone.",
            "Codebooks follow the corrected moving averages: k-means and revived vectors last.",
        ),
    ),
    encodec_24k,
    recipe,
    small={"sample_rate": 16_000, "strides": [2, 3, 6, 6], "filters": 12, "codebooks": 8},
)
