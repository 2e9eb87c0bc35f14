"""VibeVoice's acoustic tokenizer: causal convolutions with continuous latents, 7.5 frames of 64 numbers a second.

samples -> conv 32, 3 blocks -> strides 2, 2, 4, 5, 5, 8, channels doubled and 3 to 8 blocks after each -> latents 64 -> even steps
samples <- conv 32 <- strides 8, 5, 5, 4, 2, 2, channels halved and as many blocks after each, 8 blocks at 2048 channels <- latents 64 <-
"""

from __future__ import annotations

from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.layered import LayeredDecoder
from wavelex.designs.base import Card, Design
from wavelex.designs.discriminators import DAC_DISCRIMINATORS
from wavelex.encoders.layered import LayeredEncoder
from wavelex.nn.mixer import MixerBlock
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.streaming import Streaming
from wavelex.quantizers.scalar import DimensionQuantizer
from wavelex.training.recipe import Recipe, Stage


def vibevoice(
    sample_rate: int = 24_000,
    filters: int = 32,
    strides: Sequence[int] = (2, 2, 4, 5, 5, 8),
    depths: Sequence[int] = (3, 3, 3, 3, 3, 3, 8),
    kernel: int = 7,
    dim: int = 64,
    bits: int = 6,
    deviation: float = 0.625,
) -> CodecModel:
    """Causal throughout. `depths` are the blocks before the first and after each of the `strides`; the decoder mirrors the encoder.

    In training each item's latents get noise whose scale is drawn from N(0, `deviation`).
    """

    def blocks(channels: int, count: int) -> list[Streaming]:
        return [MixerBlock(channels, kernel) for _ in range(count)]

    widths = [filters * 2**index for index in range(len(strides) + 1)]
    encoder: list[Streaming] = [PaddedConv1d(1, filters, kernel, left=kernel - 1), *blocks(filters, depths[0])]
    for stride, width, wider, depth in zip(strides, widths, widths[1:], depths[1:], strict=False):
        encoder += [PaddedConv1d(width, wider, 2 * stride, stride, left=stride), *blocks(wider, depth)]
    encoder.append(PaddedConv1d(widths[-1], dim, kernel, left=kernel - 1))
    decoder: list[Streaming] = [PaddedConv1d(dim, widths[-1], kernel, left=kernel - 1), *blocks(widths[-1], depths[-1])]
    for stride, wider, width, depth in zip(reversed(strides), widths[:0:-1], widths[-2::-1], depths[-2::-1], strict=True):
        decoder += [PaddedConvTranspose1d(wider, width, 2 * stride, stride, right=stride), *blocks(width, depth)]
    decoder.append(PaddedConv1d(filters, 1, kernel, left=kernel - 1))
    quantizer = DimensionQuantizer(dim, bits, deviation=deviation)
    return CodecModel(LayeredEncoder(dim, *encoder), quantizer, LayeredDecoder(dim, *decoder), sample_rate)


def recipe() -> Recipe:
    """DAC's losses and discriminators, as the report says, and the penalty of a variational autoencoder on the latents."""
    return Recipe(
        (
            Stage(
                "adversarial",
                400_000,
                {
                    "multi_mel": 15.0,
                    "mpd": 1.0,
                    "mpd_features": 2.0,
                    "complex_mrd": 1.0,
                    "complex_mrd_features": 2.0,
                    "commitment": 0.001,
                },
                adversarial=True,
                start="kmeans",
            ),
        ),
        options=DAC_DISCRIMINATORS,
        settings={"learning_rate": 1e-4, "betas": (0.8, 0.99), "discriminator_rate": 1e-4, "prefix_odds": (0.0,) * 63 + (1.0,)},
    )


DESIGN = Design(
    "vibevoice",
    Card(
        paper='Peng et al., "VibeVoice technical report" (arXiv 2508.19205), section 2.1',
        summary="7.5 frames a second of continuous latents, whose noise in training has a scale of its own for each item (sigma-VAE).",
        aims_at="LibriTTS test-clean, as in the table of tokenizers of the report",
        parameters=687.4,
        licence="MIT",
        deviations=(
            "Latents are continuous as published for those who ask for them; files and tokens hold them in even steps, 6 bits a number,"
            " over four times their spread. Converted weights do not say that spread; it is 1 until the quantizer is started on latents.",
            "Encoding adds no noise; the published class does unless told otherwise.",
            "The last part of a frame is completed by silence; the published class drops it.",
            "Steps, rates and the weight of the penalty are not published; they are DAC's and choices.",
        ),
    ),
    vibevoice,
    recipe,
    small={"sample_rate": 16_000, "filters": 4, "strides": (2, 2, 3, 4, 5, 9), "depths": (1, 1, 1, 1, 1, 1, 1), "dim": 32},
)
