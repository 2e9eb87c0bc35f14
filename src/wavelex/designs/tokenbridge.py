"""TokenBridge for speech: a finished autoencoder, each of whose 16 numbers a frame is cut into 64 equally likely intervals (2.4 kbit/s).

samples -> STFT 1280/640 -> 4 x ConvNeXt 256 -> latents 16 -> the interval of a Gaussian in which each number lies
samples <- inverse STFT, 4 spectra a frame <- 4 x ConvNeXt 384 <- latents 16 <- the Gaussian's mean in each interval <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.designs.base import Card, Design
from wavelex.designs.bodies import SAMPLE_RATE, SMALL, spectral_body, three_stages
from wavelex.quantizers.post_training import GaussianBins
from wavelex.training.recipe import Recipe


def tokenbridge(
    dim: int = 16,
    bits: int = 6,
    spacing: str = "equal_mass",
    hop_length: int = 640,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
) -> CodecModel:
    """`spacing="uniform"` has even intervals in place of equally likely ones: fewer bits in a file for the same error."""
    encoder, decoder = spectral_body(dim, encoder_width, encoder_hidden, decoder_width, decoder_hidden, hop_length)
    return CodecModel(encoder, GaussianBins(dim, bits, spacing), decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """An autoencoder without codes, the intervals by its latents' mean and deviation, then the decoder alone on what they leave."""
    return three_stages(commitment=0.0, prefix_odds=(0.0,) * 15 + (1.0,))


DESIGN = Design(
    "tokenbridge",
    Card(
        paper='Wang et al., "Bridging Continuous and Discrete Tokens for Autoregressive Visual Generation" (arXiv 2503.16430)',
        summary="Codes after training, dimension by dimension, with nothing learned for them: as good as continuous where bits suffice.",
        aims_at="no figures for speech are published",
        deviations=(
            "Encoder and decoder are those of speech-16k, at 16 kHz and 25 frames a second; the paper codes images.",
            "The autoencoder is not variational: mean and deviation of each number are measured.",
            "The decoder goes on learning on codes, which the paper does without.",
        ),
    ),
    tokenbridge,
    recipe,
    small=SMALL,
)
