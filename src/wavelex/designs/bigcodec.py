"""bigcodec: one codebook of 8192 and as large a network as it takes, 80 codes a second (1.04 kbit/s).

samples -> 5 x (3 dilated residual units, alias-free snake, strided convolution) -> LSTM -> latents 1024 -> one codebook, lookup in 8 dims
samples <- tanh, snake <- 5 x (alias-free snake, up-sampling convolution, 3 dilated residual units) <- LSTM <- latents 1024 <-
"""

from __future__ import annotations

from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.dac import DACDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.dac import DACEncoder
from wavelex.nn.recurrent import LSTM
from wavelex.nn.snake import AliasFreeSnake
from wavelex.quantizers.factorised import FactorisedVQ
from wavelex.training.recipe import Recipe, Stage

SAMPLE_RATE = 16_000


def bigcodec(
    strides: Sequence[int] = (2, 2, 2, 5, 5),
    width: int = 48,
    decoder_width: int = 1536,
    decoder_strides: Sequence[int] | None = None,
    dim: int = 1024,
    layers: int = 2,
    dilations: Sequence[int] = (1, 3, 9),
    codebooks: int = 1,
    size: int = 8192,
    code_dim: int = 8,
    sample_rate: int = SAMPLE_RATE,
) -> CodecModel:
    """DAC's encoder and decoder with alias-free activations and LSTMs of so many `layers` (0 for none) at the frame rate."""
    last = width * 2 ** len(strides)
    encoder = DACEncoder(
        dim, width, strides, dilations, AliasFreeSnake, context=LSTM(last, layers) if layers else None, always_silence=True
    )
    quantizer = FactorisedVQ(dim, codebooks, size, code_dim)
    memory = LSTM(decoder_width, layers) if layers else None
    decoder = DACDecoder(dim, decoder_width, decoder_strides or strides[::-1], dilations, AliasFreeSnake, context=memory)
    return CodecModel(encoder, quantizer, decoder, sample_rate)


def recipe() -> Recipe:
    """One stage with everything from the first step."""
    return Recipe(
        (
            Stage(
                "all",
                600_000,
                {
                    "multi_mel": 15.0,
                    "commitment": 1.0,
                    "mpd": 1.0,
                    "mpd_features": 1.0,
                    "spectrogram": 1.0,
                    "spectrogram_features": 1.0,
                },
                adversarial=True,
            ),
        ),
        options={
            "mpd": {
                "loss": "least_squares",
                "average": False,
                "channels": (16, 64, 256, 512, 512),
                "last_kernel": 2,
                "first_map": True,
                "logits_map": False,
            },
        },
        settings={
            "batch": 64,
            "segment_seconds": 1.0,
            "learning_rate": 1e-4,
            "discriminator_rate": 1e-4,
            "betas": (0.8, 0.9),
            "weight_decay": 0.01,
            "warmup": 1000,
            "schedule": "constant",
            "decay_share": 1.0,
            "final_rate": 0.1,
            "clip": 1.0,
            "ema": 0.0,
            "prefix_odds": (1.0,),
        },
    )


DESIGN = Design(
    "bigcodec",
    Card(
        paper='Xin et al., "BigCodec: pushing the limits of low-bitrate neural speech codec" (arXiv 2409.05377)',
        summary="One token a frame sounds good when the networks around it are ten times as large as usual.",
        aims_at="BigCodec paper, table I: PESQ-WB 2.68, STOI 0.93, speaker similarity 0.84 on LibriSpeech test-clean at 1.04 kbit/s",
        parameters=159.0,
        licence="MIT",
        deviations=(
            "A signal that fills its last frame is coded in so many frames; the published program codes a frame of silence more.",
            "Weights of convolutions begin as torch's layers do, not with a standard deviation of 0.02.",
            "The learning rate falls in a straight line over all steps, the published over the first 500,000.",
        ),
    ),
    bigcodec,
    recipe,
    small={"width": 6, "decoder_width": 192, "dim": 128},
)
