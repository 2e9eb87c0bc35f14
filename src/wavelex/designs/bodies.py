"""The networks of speech-16k for designs whose paper is about the quantizer, or does not tell its own networks."""

from __future__ import annotations

from collections.abc import Mapping

from wavelex.decoders.fourier import FourierDecoder
from wavelex.encoders.spectral import SpectralEncoder
from wavelex.training.recipe import Recipe, Stage

SAMPLE_RATE = 16_000
DEVIATION = "Encoder and decoder are those of speech-16k, at 16 kHz and 50 frames a second."
SMALL = {"encoder_width": 160, "encoder_hidden": 480, "decoder_width": 192, "decoder_hidden": 576}
DISTANCES: Mapping[str, float] = {"mel": 1.0, "complex": 8.0, "loudness": 1.5}


def spectral_body(
    dim: int, encoder_width: int, encoder_hidden: int, decoder_width: int, decoder_hidden: int
) -> tuple[SpectralEncoder, FourierDecoder]:
    """Frame-rate encoder and Fourier decoder with a hop of 320 samples and 60 ms of look-ahead in all."""
    blocks = [(1, 1), (2, 0), (4, 0), (1, 0)]
    encoder = SpectralEncoder(dim, encoder_width, encoder_hidden, blocks, stft_lookahead=80)
    return encoder, FourierDecoder(dim, decoder_width, decoder_hidden, blocks)


def three_stages(commitment: float, frozen_encoder: bool = False, **settings: object) -> Recipe:
    """Without codes first, then with them, placed on the latents, and against discriminators at the end."""
    coded = {**DISTANCES, "commitment": commitment}
    learning = frozenset({"quantizer", "decoder"}) if frozen_encoder else frozenset({"encoder", "quantizer", "decoder"})
    return Recipe(
        (
            Stage("autoencoder", 20_000, DISTANCES, train=frozenset({"encoder", "decoder"}), quantize="no"),
            Stage("codes", 40_000, coded, train=learning, start="kmeans"),
            Stage("adversarial", 40_000, {**coded, "adversarial": 0.05, "features": 0.3}, train=learning, adversarial=True),
        ),
        options={"adversarial": {"above": 3000.0}},
        settings=settings,
    )
