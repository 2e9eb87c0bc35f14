"""WavTokenizer: 24 kHz, one codebook of 4096 at 75 frames a second (0.9 kbit/s) or 40 (0.48 kbit/s).

samples -> SEANet 2 x 4 x 5 x 8 or 4 x 5 x 5 x 6 (32 to 512 channels) -> LSTM x 2 -> latents 512 -> VQ 4096
samples <- inverse STFT, 4 hops <- magnitude, phase <- 12 x ConvNeXt 768 <- attention <- convolution over 7 frames <- latents 512 <-
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from wavelex.codec.model import CodecModel
from wavelex.decoders.vocos import VocosDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.recipe import Recipe, Stage


def wavtokenizer(
    sample_rate: int = 24_000,
    dim: int = 512,
    filters: int = 32,
    strides: Sequence[int] = (2, 4, 5, 8),
    size: int = 4096,
    width: int = 768,
    hidden: int = 2304,
    blocks: int = 12,
    n_fft: int = 1280,
    rows: int = 4,
    row: int = 0,
) -> CodecModel:
    """SEANet encoder with centred, reflected convolutions, one codebook, Vocos decoder with attention over the utterance.

    The adaptive norms of the decoder have `rows` rows, of which `row` is used. Decoding needs the whole utterance.
    """
    encoder = SEANetEncoder(dim, filters, strides, causal=False)
    decoder = VocosDecoder(
        dim, width, hidden, blocks, math.prod(strides), n_fft, [int(index == row) for index in range(rows)], attention=True
    )
    return CodecModel(encoder, ResidualVQ(dim, 1, size), decoder, sample_rate)


def recipe() -> Recipe:
    """Against discriminators from the first step, on 8 devices with 40 clips of 3 s each, which is its "extended context"."""
    objectives = {
        "log_mel": 45.0,
        "commitment": 1000.0,
        "mpd": 1.0,
        "mpd_features": 1.0,
        "mrd": 1.0,
        "mrd_features": 1.0,
        "complex_mrd": 1.0,
        "complex_mrd_features": 1.0,
    }
    return Recipe(
        (Stage("adversarial", 1_000_000, objectives, adversarial=True, start="kmeans"),),
        options={
            "log_mel": {"n_fft": 1024, "hop": 256, "bands": 100},
            "complex_mrd": {"loss": "least_squares", "average": False, "first_map": True, "logits_map": False},
        },
        settings={
            "batch": 40,
            "segment_seconds": 3.0,
            "learning_rate": 2e-4,
            "discriminator_rate": 2e-4,
            "betas": (0.9, 0.999),
            "warmup": 0,
            "final_rate": 0.0,
            # Published without.
            "clip": 1e9,
            "ema": 0.0,
            "prefix_odds": (1.0,),
        },
    )


def _card(summary: str, aims_at: str, parameters: float) -> Card:
    return Card(
        paper='Ji et al., "WavTokenizer: an Efficient Acoustic Discrete Codec Tokenizer for Audio Language Modeling" (arXiv 2408.16532)',
        summary=summary,
        aims_at=aims_at,
        parameters=parameters,
        licence="MIT, with the released code",
        deviations=(
            "The discriminator of complex spectra learns; in the released code it is left out of the optimizer and stays random.",
            "Of DAC's discriminators there is that of complex spectra, with Hann windows; its periods are those of the one beside it.",
            "Codebooks are averaged, started and revived without the errors of the released code (see `quantizers/codebook.py`).",
            "One row of the decoder's adaptive norms is trained and used; in the released code each step draws one, all for one bit rate.",
        ),
    )


_SMALL = {"sample_rate": 16_000, "dim": 64, "filters": 12, "size": 1024, "width": 128, "hidden": 384, "blocks": 4}
DESIGN_75 = Design(
    "wavtokenizer_75",
    _card(
        "One codebook of 4096 is enough for speech, with attention in the decoder and training on 3 s.",
        "LibriTTS test-clean: UTMOS 4.05, PESQ-WB 2.37, STOI .914",
        71.75,
    ),
    wavtokenizer,
    recipe,
    small={**_SMALL, "strides": [2, 3, 6, 6], "n_fft": 864},
)
DESIGN_40 = Design(
    "wavtokenizer_40",
    _card("WavTokenizer at 40 codes a second.", "LibriTTS test-clean: UTMOS 3.60", 72.11),
    partial(wavtokenizer, strides=(4, 5, 5, 6), n_fft=2400),
    recipe,
    small={**_SMALL, "strides": [4, 4, 5, 5], "n_fft": 1600},
)
