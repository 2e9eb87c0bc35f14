"""CODA for speech: a finished autoencoder made discrete by attention to 4 codebooks of 1024, 50 frames a second (2 kbit/s).

samples -> STFT 640/320 -> 4 x ConvNeXt 256 -> latents 64 -> 4 x (query; the key of the largest product among 1024)
samples <- inverse STFT, 2 spectra a frame <- 4 x ConvNeXt 384 <- latents 64 <- sum of the values <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.designs.base import Card, Design
from wavelex.designs.bodies import DEVIATION, DISTANCES, SAMPLE_RATE, SMALL, spectral_body
from wavelex.quantizers.attention import AttentionVQ
from wavelex.training.recipe import Recipe, Stage


def coda(
    dim: int = 64,
    codebooks: int = 4,
    size: int = 1024,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
) -> CodecModel:
    """Published for images with 16,384 or 65,536 codes."""
    encoder, decoder = spectral_body(dim, encoder_width, encoder_hidden, decoder_width, decoder_hidden)
    return CodecModel(encoder, AttentionVQ(dim, codebooks, size), decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """An autoencoder; a quantizer that learns to give its latents back; the decoder on what it gives."""
    sharp = {**DISTANCES, "adversarial": 0.05, "features": 0.3}
    return Recipe(
        (
            Stage("autoencoder", 20_000, DISTANCES, train=frozenset({"encoder", "decoder"}), quantize="no"),
            Stage("codes", 20_000, {"commitment": 1.0}, train=frozenset({"quantizer"}), start="kmeans"),
            Stage("decoder", 40_000, sharp, train=frozenset({"decoder"}), adversarial=True),
        ),
        options={"adversarial": {"above": 3000.0}},
    )


DESIGN = Design(
    "coda",
    Card(
        paper='Liu et al., "CODA: Repurposing Continuous VAEs for Discrete Tokenization" (arXiv 2503.17760)',
        summary="Compression and codes apart: first an autoencoder, then a quantizer for it as it is, asked by attention.",
        aims_at="no figures for speech are published; on images all codes are used",
        deviations=(
            DEVIATION,
            "Codebooks code what is left of every frame, the paper's layers what is left at rising resolutions.",
            "The whole decoder goes on learning in the end; the paper adds a few weights to it.",
        ),
    ),
    coda,
    recipe,
    small={**SMALL, "size": 256},
)
