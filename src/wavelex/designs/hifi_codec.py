"""HiFi-Codec: 75 frames a second, 4 x 1024 codes in two groups of channels (3 kbit/s).

samples -> conv 32, strides 2 4 5 8 with normalised residual blocks -> latents 512 -> 2 groups of RVQ 2 x 1024
samples <- HiFi-GAN 512, rates 8 5 4 2 <- latents 512 <-
"""

from __future__ import annotations

from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.hifigan import HiFiGANDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.hifigan import HiFiGANEncoder
from wavelex.quantizers.grouped import GroupedVQ
from wavelex.training.recipe import Recipe, Stage


def hifi_codec(
    dim: int = 512,
    encoder_width: int = 32,
    decoder_width: int = 512,
    rates: Sequence[int] = (8, 5, 4, 2),
    kernels: Sequence[int] = (16, 11, 8, 4),
    residual_kernels: Sequence[int] = (3, 7, 11),
    residual_dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    norm_channels: int = 16,
    groups: int = 2,
    layers: int = 2,
    size: int = 1024,
    sample_rate: int = 24_000,
) -> CodecModel:
    """`rates`, `kernels` and the residual blocks in the decoder's order; the encoder has them from the last to the first."""
    units = list(zip(residual_kernels, residual_dilations, strict=True))
    encoder = HiFiGANEncoder(dim, encoder_width, rates, kernels, units, norm_channels)
    decoder = HiFiGANDecoder(dim, decoder_width, rates, kernels, units)
    return CodecModel(encoder, GroupedVQ(dim, groups, layers, size), decoder, sample_rate)


def recipe() -> Recipe:
    """One stage with three families of discriminators; the quantizer's loss is weighted within by 1 and 0.25, then by 10."""
    objectives = {
        "log_mel": 45.0,
        "commitment": 10.0,
        **dict.fromkeys(("mpd", "msd", "ms_stft"), 1.0),
        **dict.fromkeys(("mpd_features", "msd_features", "ms_stft_features"), 2.0),
    }
    least_squares = {"loss": "least_squares", "average": False, "normalize": False}
    return Recipe(
        (Stage("codec", 500_000, objectives, adversarial=True),),
        options={
            "log_mel": {"n_fft": 1024, "hop": 240, "bands": 80},
            "mpd": {**least_squares, "first_map": True},
            "msd": least_squares,
            "ms_stft": least_squares,
        },
        settings={
            "batch": 16,
            "segment_seconds": 0.5,
            "learning_rate": 2e-4,
            "discriminator_rate": 2e-4,
            "betas": (0.5, 0.9),
            "weight_decay": 0.0,
            "warmup": 0,
            # Published without.
            "clip": 1e9,
            "prefix_odds": (0.0, 0.0, 0.0, 1.0),
        },
    )


DESIGN = Design(
    "hifi_codec",
    Card(
        paper='Yang et al., "HiFi-Codec: Group-residual Vector Quantization for High Fidelity Audio Codec" (arXiv 2305.02765)',
        summary="Groups of channels are quantized apart, so that four codebooks, two deep, do what eight do in a row.",
        aims_at="the paper's tables: PESQ and STOI of EnCodec with eight codebooks or better, with four",
        licence="MIT, as the readme of the released code says",
        deviations=(
            "The last frame is filled up with silence; the released code drops what fills no frame, which shifts what is normalised.",
            "Commitment reaches the encoder from both layers, in the released code from the first alone.",
            "Two further mel distances with a weight of one forty-fifth are left out; rates fall by a cosine, not by epochs.",
        ),
    ),
    hifi_codec,
    recipe,
    small={"sample_rate": 16_000, "dim": 96, "encoder_width": 6, "decoder_width": 128, "norm_channels": 4},
)
