"""HH-Codec: 24 kHz, one codebook of 8192 at 23.4 frames a second (0.3 kbit/s).

samples -> SEANet 32 filters, strides 4 4 8 8, 2 x LSTM in both directions -> latents 512 -> SimVQ 8192 (a second one in training)
samples <- BigVGAN 256 <- 100 mel bands, 4 a frame <- 12 x ConvNeXt 768 <- attention <- latents 512 <-
"""

from __future__ import annotations

from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.mel_vocoder import MelVocoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.leading import LeadingVQ
from wavelex.quantizers.sim import SimVQ
from wavelex.training.recipe import Recipe, Stage


def hh_codec(
    sample_rate: int = 24_000,
    dim: int = 512,
    filters: int = 32,
    strides: Sequence[int] = (4, 4, 8, 8),
    codebooks: int = 2,
    size: int = 8192,
    projector: int = 1024,
    width: int = 768,
    hidden: int = 2304,
    blocks: int = 12,
    bands: int = 100,
    step: int = 4,
    vocoder_width: int = 1536,
    rates: Sequence[int] = (4, 4, 2, 2, 2, 2),
    kernels: Sequence[int] = (8, 8, 4, 4, 4, 4),
) -> CodecModel:
    """`codebooks` take part in training, the first is the code; `projector` is the hidden width of the map that makes their vectors."""
    encoder = SEANetEncoder(dim, filters, strides, bidirectional=True)
    quantizer = LeadingVQ(SimVQ(dim, codebooks, size, hidden=projector))
    return CodecModel(encoder, quantizer, MelVocoder(dim, width, hidden, blocks, bands, step, vocoder_width, rates, kernels), sample_rate)


def recipe() -> Recipe:
    """One stage against three families of discriminators, on 8 devices with 6 clips of 1 s each; what is left out is on the card."""
    objectives = {
        "log_mel": 45.0,
        # Published is the sum over both codebooks, here it is their mean.
        "commitment": 2000.0,
        **dict.fromkeys(("mpd", "mpd_features", "mrd", "mrd_features", "complex_mrd", "complex_mrd_features"), 1.0),
    }
    return Recipe(
        (Stage("adversarial", 1_000_000, objectives, adversarial=True),),
        options={
            "log_mel": {"n_fft": 1024, "hop": 256, "bands": 100},
            "complex_mrd": {"loss": "least_squares", "average": False, "first_map": True, "logits_map": False},
        },
        settings={
            "batch": 6,
            "segment_seconds": 1.0,
            "learning_rate": 1e-4,
            "discriminator_rate": 1e-4,
            "betas": (0.5, 0.9),
            "weight_decay": 0.0,
            "warmup": 0,
            # Published without.
            "clip": 1e9,
            "schedule": "constant",
            "ema": 0.9999,
            "prefix_odds": (1.0,),
        },
    )


DESIGN = Design(
    "hh_codec",
    Card(
        paper='Xue et al., "HH-Codec: High Compression High-fidelity Discrete Neural Codec" (arXiv 2507.18897)',
        summary="One codebook at 23.4 codes a second, learned beside one that is thrown away, and a mel vocoder as the decoder.",
        aims_at="LibriTTS test-clean: UTMOS 3.61, STOI .89 at 0.3 kbit/s",
        licence="no weights published",
        deviations=(
            "Latents are not distilled from HuBERT.",
            "The vocoder, of BigVGAN's layers, learns from the beginning; published it comes trained and is frozen at first.",
            "The mel spectrum on the way to it is not compared by itself.",
            "Codebooks pass one rotated gradient, that of the first.",
            "Of DAC's discriminators there is that of complex spectra; its periods are those of the one beside it.",
        ),
    ),
    hh_codec,
    recipe,
    small={
        "sample_rate": 16_000,
        "dim": 64,
        "filters": 8,
        "strides": [4, 4, 6, 7],
        "size": 1024,
        "projector": 128,
        "width": 96,
        "hidden": 288,
        "blocks": 4,
        "vocoder_width": 128,
        "rates": [7, 6, 2, 2],
        "kernels": [14, 12, 4, 4],
    },
)
