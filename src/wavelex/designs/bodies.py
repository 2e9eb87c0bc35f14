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
    dim: int, encoder_width: int, encoder_hidden: int, decoder_width: int, decoder_hidden: int, hop_length: int = 320
) -> tuple[SpectralEncoder, FourierDecoder]:
    """Frame-rate encoder and Fourier decoder; of their look-ahead, two frames are the networks' and a fraction of one the windows'.

    Every frame's window is two hops, and 160 samples are made of each spectrum.
    """
    blocks = [(1, 1), (2, 0), (4, 0), (1, 0)]
    encoder = SpectralEncoder(dim, encoder_width, encoder_hidden, blocks, hop_length, 2 * hop_length, stft_lookahead=hop_length // 4)
    return encoder, FourierDecoder(dim, decoder_width, decoder_hidden, blocks, hop_length, spectra_per_frame=hop_length // 160)


def three_stages(commitment: float, **settings: object) -> Recipe:
    """Without codes first, then with them, placed on the latents, and against discriminators at the end.

    Without `commitment` only the decoder learns once there are codes.
    """
    coded = {**DISTANCES, "commitment": commitment} if commitment else DISTANCES
    learning = frozenset({"encoder", "quantizer", "decoder"} if commitment else {"decoder"})
    return Recipe(
        (
            Stage("autoencoder", 20_000, DISTANCES, train=frozenset({"encoder", "decoder"}), quantize="no"),
            Stage("codes", 40_000, coded, train=learning, start="kmeans"),
            Stage("adversarial", 40_000, {**coded, "adversarial": 0.05, "features": 0.3}, train=learning, adversarial=True),
        ),
        options={"adversarial": {"above": 3000.0}},
        settings=settings,
    )
