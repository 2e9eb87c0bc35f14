"""A lattice in place of codebooks: 16 codes of 7 steps along learned directions, 50 frames a second (2.25 kbit/s, less when coded).

samples -> STFT 640/320 -> 4 x ConvNeXt 256 -> latents 16 -> rotate, divide by steps, round -> 16 x -3 ... 3
samples <- inverse STFT, 2 spectra a frame <- 4 x ConvNeXt 384 <- latents 16 <- rotate back, times steps <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.designs.base import Card, Design
from wavelex.designs.bodies import DEVIATION, SAMPLE_RATE, SMALL, spectral_body, three_stages
from wavelex.quantizers.lattice import LatticeVQ
from wavelex.training.recipe import Recipe


def lattice_codec(
    dim: int = 16,
    reach: int = 3,
    form: str = "rotated",
    spread: float = 0.0,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
) -> CodecModel:
    """`form="diagonal"` with a `spread` is LL-VQ-VAE's lattice; `form="free"` any basis, with Babai's rounding."""
    encoder, decoder = spectral_body(dim, encoder_width, encoder_hidden, decoder_width, decoder_hidden)
    return CodecModel(encoder, LatticeVQ(dim, reach, form, spread=spread), decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """Directions and steps begin as the latents of an autoencoder ask for. The first codes are the strongest components."""
    return three_stages(commitment=1.0)


DESIGN = Design(
    "lattice_codec",
    Card(
        paper='Khalil et al., "LL-VQ-VAE: Learnable Lattice Vector-Quantization for Efficient Representations" (arXiv 2310.09382)',
        summary="Codes are whole coordinates in a learned basis: hardly a parameter, no table to search, none that can die.",
        aims_at="no figures for speech are published",
        deviations=(
            DEVIATION,
            "Directions are orthogonal and learned, where the paper's are the channels; the nearest point is then found by rounding.",
            "Coordinates are cut to 7 values, since a file needs an alphabet.",
            "Steps begin with the spread of the latents and are not pushed apart; the paper's term for that is the argument `spread`.",
        ),
    ),
    lattice_codec,
    recipe,
    small=SMALL,
)
