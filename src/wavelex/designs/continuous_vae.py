"""A continuous codec: 32 numbers a frame with noise in training, 25 frames a second; files hold them in steps (4.8 kbit/s, less coded).

samples -> STFT 1280/640 -> 4 x ConvNeXt 256 -> latents 32 -> (noise) 64 even steps each
samples <- inverse STFT, 4 spectra a frame <- 4 x ConvNeXt 384 <- latents 32 <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.designs.base import Card, Design
from wavelex.designs.bodies import DISTANCES, SAMPLE_RATE, SMALL, spectral_body
from wavelex.quantizers.scalar import DimensionQuantizer
from wavelex.training.recipe import Recipe, Stage


def continuous_vae(
    dim: int = 32,
    bits: int = 6,
    deviation: float = 0.5,
    hop_length: int = 640,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
) -> CodecModel:
    """In training each item's latents get noise whose scale is drawn from N(0, `deviation`); codes are `bits` of each number."""
    encoder, decoder = spectral_body(dim, encoder_width, encoder_hidden, decoder_width, decoder_hidden, hop_length)
    return CodecModel(encoder, DimensionQuantizer(dim, bits, deviation=deviation), decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """Steps as wide as the first batches' latents ask for, a light penalty on their energy, discriminators at the end."""
    noisy = {**DISTANCES, "commitment": 1e-3}
    return Recipe(
        (
            Stage("vae", 60_000, noisy, start="kmeans"),
            Stage("adversarial", 40_000, {**noisy, "adversarial": 0.05, "features": 0.3}, adversarial=True),
        ),
        options={"adversarial": {"above": 3000.0}},
        settings={"prefix_odds": (0.0,) * 31 + (1.0,)},
    )


DESIGN = Design(
    "continuous_vae",
    Card(
        paper='Liu et al., "ARDiT" (arXiv 2406.05551), and Sun et al., "LatentLM" (arXiv 2412.08635), whose sigma-VAE it is',
        summary="For language models that predict continuous frames: few of them, of numbers that bear noise, and codes only to store.",
        aims_at="no published row; its bits in a file beside those of discrete codecs of equal quality",
        deviations=(
            "Encoder and decoder are those of speech-16k, at 16 kHz and 25 frames a second, and the decoder computes samples directly.",
            "The scale of the noise is the item's, as in LatentLM; ARDiT's is predicted for every number.",
            "Files hold the numbers in even steps, to which entropy coding gives the fewer bits the likelier they are.",
        ),
    ),
    continuous_vae,
    recipe,
    small=SMALL,
)
