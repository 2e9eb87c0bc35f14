"""SoundStream: causal convolutions, 75 frames a second, up to 24 x 1024 codes (0.75 kbit/s each).

samples -> SEANet 32 filters, strides 2 4 5 8, 3 residual units each -> latents 256 -> RVQ 24 x 1024
samples <- SEANet 32 filters, strides 8 5 4 2, 3 residual units each <- latents 256 <-
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.decoders.seanet import SEANetDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.recipe import Recipe, Stage


def soundstream(
    dim: int = 256,
    encoder_filters: int = 32,
    decoder_filters: int = 32,
    strides: Sequence[int] = (2, 4, 5, 8),
    codebooks: int = 24,
    size: int = 1024,
    sample_rate: int = 24_000,
) -> CodecModel:
    """Encoder and decoder may have different widths (section V-B of the paper); `strides` are the encoder's, the decoder's turned about."""
    units: dict[str, Any] = {"residual_kernel": 7, "residual_layers": 3, "dilation_base": 3, "compress": 1, "shortcut": False, "lstm": 0}
    encoder = SEANetEncoder(dim, encoder_filters, strides, last_kernel=3, padding="zeros", **units)
    decoder = SEANetDecoder(dim, decoder_filters, strides, padding="zeros", **units)
    return CodecModel(encoder, ResidualVQ(dim, codebooks, size), decoder, sample_rate)


def recipe() -> Recipe:
    """One stage with discriminators of waves and of STFTs, weighted as in section III-E; codebooks start by k-means on the first batch.

    The paper gives no number of steps, batch or learning rate; those here are EnCodec's.
    """
    objectives = {"multi_mel": 1.0, "commitment": 1.0, "msd": 0.5, "ms_stft": 0.5, "msd_features": 50.0, "ms_stft_features": 50.0}
    hinge = {"loss": "hinge", "average": True}
    windows = [64, 128, 256, 512, 1024, 2048]
    mel = {"windows": windows, "bands": [64] * len(windows), "scale": "htk", "magnitude": 1.0, "squared": True}
    return Recipe(
        (Stage("codec", 600_000, objectives, adversarial=True, start="kmeans"),),
        options={"multi_mel": mel, "msd": hinge, "ms_stft": hinge},
        settings={
            "batch": 64,
            "segment_seconds": 1.0,
            "learning_rate": 3e-4,
            "discriminator_rate": 3e-4,
            "betas": (0.5, 0.9),
            "weight_decay": 0.0,
            "prefix_odds": (1 / 24,) * 24,
        },
    )


DESIGN = Design(
    "soundstream",
    Card(
        paper='Zeghidour et al., "SoundStream: An End-to-End Neural Audio Codec" (arXiv 2107.03312)',
        summary="The first codec learned end to end with residual quantization, whose dropout makes one model serve all bit rates.",
        aims_at="the paper's figure 5: as good to listeners at 3 kbit/s as Opus at 12",
        licence="no weights published",
        deviations=(
            "Latents have 256 numbers. The paper counts 8.4 million parameters without saying how many; layers as it draws them have 10.5.",
            "The discriminator of STFTs is EnCodec's at several resolutions in place of one with two-dimensional residual units.",
            "Logarithms of mel spectra are compared by squares, not by the root of their sum weighted by the window.",
            "There is no joint denoising.",
        ),
        covers=("Lyra V2, which is a SoundStream of other sizes, by arguments",),
    ),
    soundstream,
    recipe,
    small={"sample_rate": 16_000, "strides": [2, 3, 6, 6], "encoder_filters": 16, "decoder_filters": 16, "dim": 64, "codebooks": 8},
)
