"""Language-Codec: 24 kHz, 75 frames a second, 8 x 1024 codes (6 kbit/s), the first three of separate channels.

samples -> SEANet 2 x 4 x 5 x 8 (32 to 512 channels) -> LSTM x 2 -> latents 128 -> MCRVQ 8 x 1024, channels in three shares
samples <- inverse STFT 1280/320 <- magnitude, phase <- 12 x ConvNeXt 384 <- convolution over 7 frames <- latents 128 <-
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.vocos import VocosDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.masked_channel import MaskedChannelRVQ
from wavelex.training.recipe import Recipe, Stage


def language_codec(
    sample_rate: int = 24_000,
    dim: int = 128,
    filters: int = 32,
    strides: Sequence[int] = (2, 4, 5, 8),
    codebooks: int = 8,
    size: int = 1024,
    groups: int = 3,
    width: int = 384,
    hidden: int = 1152,
    blocks: int = 12,
    n_fft: int = 1280,
    rows: int = 4,
    row: int = 0,
) -> CodecModel:
    """SEANet encoder with centred, reflected convolutions, masked-channel residual quantizer, Vocos decoder.

    The adaptive norms of the decoder have `rows` rows, of which `row` is used. Look-ahead: encoder 1195 samples, decoder 39 frames and
    480 samples; 590 ms in all.
    """
    encoder = SEANetEncoder(dim, filters, strides, causal=False)
    quantizer = MaskedChannelRVQ(dim, codebooks, size, groups)
    # All rows stand for the same bit rate, so the number of codebooks chooses none.
    levels = [codebooks if index == row else 0 for index in range(rows)]
    decoder = VocosDecoder(dim, width, hidden, blocks, math.prod(strides), n_fft, levels)
    return CodecModel(encoder, quantizer, decoder, sample_rate)


def recipe() -> Recipe:
    """Against discriminators from the first step, on 8 devices with 100 clips of 1 s each, of 50,000 hours."""
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
        (Stage("adversarial", 1_000_000, objectives, adversarial=True, start="kmeans"),),
        options={
            "log_mel": {"n_fft": 1024, "hop": 256, "bands": 100},
            "complex_mrd": {"loss": "least_squares", "average": False, "first_map": True, "logits_map": False},
        },
        settings={
            "batch": 100,
            "learning_rate": 2e-4,
            "discriminator_rate": 2e-4,
            "betas": (0.9, 0.999),
            "warmup": 0,
            "final_rate": 0.0,
            # Published without.
            "clip": 1e9,
            "ema": 0.0,
            "prefix_odds": (0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        },
    )


DESIGN = Design(
    "language_codec",
    Card(
        paper='Ji et al., "Language-Codec: Bridging Discrete Codec Representations and Speech Language Models" (arXiv 2402.12208)',
        summary="Masked channels move information out of the first codebook, whose codes a language model has to predict first.",
        aims_at="LibriTTS test-clean at 6 kbit/s: PESQ-WB 3.68, STOI .961, UTMOS 3.86; at 3 kbit/s: 3.12, .942, 3.62",
        parameters=18.98,
        licence="MIT, with the released code",
        deviations=(
            "The gradient of quantization is that of the identity; in the released code it is that times the codebooks used, less two.",
            "The discriminator of complex spectra learns; in the released code it is left out of the optimizer and stays random.",
            "Of DAC's discriminators there is that of complex spectra, with Hann windows; its periods are those of the one beside it.",
            "The number of codebooks is drawn for each clip, from three to all; in the released code for a batch.",
            "Codebooks are averaged, started and revived without the errors of the released code (see `quantizers/codebook.py`).",
            "One row of the decoder's adaptive norms is trained and used; in the released code each step draws one, all for one bit rate.",
            "The decoder has no attention, which the paper describes and the released weights lack.",
        ),
    ),
    language_codec,
    recipe,
    small={
        "sample_rate": 16_000,
        "dim": 64,
        "filters": 12,
        "strides": [2, 3, 6, 6],
        "width": 160,
        "hidden": 480,
        "blocks": 4,
        "n_fft": 864,
    },
)
