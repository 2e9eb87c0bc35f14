"""VQGAN-LC for speech: one frozen codebook of 100,000 latents behind a trained projector, 50 frames a second (830 bit/s).

samples -> STFT 640/320 -> 4 x ConvNeXt 256 -> latents 64 -> linear 8 -> nearest of 100,000 (k-means 64, frozen -> linear 8)
samples <- inverse STFT, 2 spectra a frame <- 4 x ConvNeXt 384 <- latents 64 <- linear 8 <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.designs.base import Card, Design
from wavelex.designs.bodies import DEVIATION, SAMPLE_RATE, SMALL, spectral_body, three_stages
from wavelex.quantizers.projected import ProjectedVQ
from wavelex.training.recipe import Recipe


def vq_gan_lc(
    dim: int = 64,
    size: int = 100_000,
    code_dim: int = 8,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
) -> CodecModel:
    """`size` features of `dim` numbers, compared with the latents in `code_dim`."""
    encoder, decoder = spectral_body(dim, encoder_width, encoder_hidden, decoder_width, decoder_hidden)
    return CodecModel(encoder, ProjectedVQ(dim, size, code_dim), decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """The codebook is the k-means of an autoencoder's latents, from as many batches as it needs, and is then left as it is."""
    return three_stages(commitment=1.0, prefix_odds=(1.0,), kmeans_batches=300)


DESIGN = Design(
    "vq_gan_lc",
    Card(
        paper='Zhu et al., "Scaling the Codebook Size of VQGAN to 100,000 with a Utilization Rate of 99%" (arXiv 2406.11837)',
        summary="A hundred thousand codes that stay in use, since they are features of data from the start and only a projector learns.",
        aims_at="99% of the codes in use, as on images; no figures for speech are published",
        licence="none stated",
        deviations=(
            DEVIATION,
            "Features are latents of the first stage, of speech, in place of a vision model's of images.",
            "The maps begin as the latents' principal components, not at random.",
        ),
    ),
    vq_gan_lc,
    recipe,
    small={**SMALL, "size": 4096},
)
