"""speech-16k: the default codec for 16 kHz speech, 50 frames a second, 8 x 1024 codes (0.5 to 4 kbit/s).

samples -> STFT 640/320 -> 4 x ConvNeXt 256 -> latents 64 -> RVQ 8 x 1024
samples <- inverse STFT, 2 spectra a frame <- 4 x ConvNeXt 384 <- latents 64 <-
"""

from __future__ import annotations

from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.decoders.fourier import FourierDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.spectral import SpectralEncoder
from wavelex.quantizers.masked_channel import MaskedChannelRVQ
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.recipe import Recipe, Stage

SAMPLE_RATE = 16_000
HOP_LENGTH = 320


def speech_16k(
    masked_groups: int = 0,
    dim: int = 64,
    encoder_width: int = 256,
    encoder_hidden: int = 768,
    decoder_width: int = 384,
    decoder_hidden: int = 768,
    noise_bands: int = 0,
    codebook_size: int = 1024,
    gradient: str = "straight",
    averages: str = "joint",
) -> CodecModel:
    """Frame-rate encoder and Fourier decoder around a residual quantizer.

    `masked_groups` > 0 makes the first that many codebooks see disjoint channels (Language-Codec's MCRVQ has 3).
    `noise_bands` > 0 lets the decoder put noise where it cannot predict the phase. `gradient` and `averages` are those of `ResidualVQ`,
    with published ways of training codebooks to compare with.
    Look-ahead: encoder 80 samples of window and one frame, decoder 240 samples of overlap and one frame; 60 ms in all.
    """
    encoder = SpectralEncoder(
        dim, encoder_width, encoder_hidden, blocks=[(1, 1), (2, 0), (4, 0), (1, 0)], hop_length=HOP_LENGTH, stft_lookahead=80
    )
    codes: dict[str, Any] = {"size": codebook_size, "gradient": gradient, "averages": averages}
    quantizer = MaskedChannelRVQ(dim, groups=masked_groups, **codes) if masked_groups else ResidualVQ(dim, **codes)
    decoder = FourierDecoder(
        dim,
        decoder_width,
        decoder_hidden,
        blocks=[(1, 1), (2, 0), (4, 0), (1, 0)],
        hop_length=HOP_LENGTH,
        trim=240,
        noise_bands=noise_bands,
    )
    return CodecModel(encoder, quantizer, decoder, SAMPLE_RATE)


def recipe() -> Recipe:
    """Without codes first, which is several times faster, then with them; given steps, discriminators or the decoder alone.

    The stage `decoder` leaves codes and token priors as they are. Its discriminators judge the band above 3 kHz.
    """
    distances = {"mel": 1.0, "complex": 8.0, "loudness": 1.5}
    coded = {**distances, "commitment": 1.0}
    return Recipe(
        (
            Stage("autoencoder", 3000, distances, quantize="no"),
            Stage("codes", 18_000, coded, start="kmeans"),
            Stage("adversarial", 0, {**coded, "adversarial": 0.05, "features": 0.3}, adversarial=True, start="kmeans"),
            Stage(
                "decoder",
                0,
                {"mel": 1.0, "complex": 12.0, "loudness": 2.5, "level": 1.5, "adversarial": 0.02, "features": 0.03},
                train=frozenset({"decoder"}),
                adversarial=True,
            ),
        ),
        options={"adversarial": {"above": 3000.0}},
    )


DESIGN = Design(
    "speech_16k",
    Card(
        paper="this project; after Vocos (arXiv 2306.00814) and SoundStream (arXiv 2107.03312)",
        summary="All work at the frame rate, between STFT and inverse: a hundred times real time on one CPU core.",
        aims_at="Lyra V2 at twice its bits, see docs/results.md",
        licence="as the project",
    ),
    speech_16k,
    recipe,
    small={"encoder_width": 192, "encoder_hidden": 576, "decoder_width": 272, "decoder_hidden": 544},
)
