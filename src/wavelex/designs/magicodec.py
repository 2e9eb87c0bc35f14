"""MagiCodec: transformers on patches of 20 ms and one codebook of 131,072, 50 frames a second (850 bit/s).

samples -> patches of 320 -> linear 768 -> linear 1024 -> 8 x transformer, window [-32, 0] -> latents 16 -> SimVQ 131072
samples <- patches of 320 <- linear 768 <- linear 1024 <- 8 x transformer, window [-32, +2] <- latents 16 <-
"""

from __future__ import annotations

from wavelex.codec.model import CodecModel
from wavelex.decoders.layered import LayeredDecoder
from wavelex.designs.base import Card, Design
from wavelex.encoders.layered import LayeredEncoder
from wavelex.nn.combine import Each
from wavelex.nn.convnext import Pointwise
from wavelex.nn.frame_noise import FrameNoise
from wavelex.nn.norm import ChannelRMSNorm
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.streaming import Streaming
from wavelex.nn.transformer import TransformerLayer
from wavelex.quantizers.sim import SimVQ
from wavelex.training.recipe import Recipe, Stage


def magicodec(
    sample_rate: int = 16_000,
    hop_length: int = 320,
    patch: int = 768,
    width: int = 1024,
    layers: int = 8,
    hidden: int = 2816,
    heads: int = 16,
    past: int = 32,
    ahead: int = 2,
    dim: int = 16,
    size: int = 131_072,
    noise: float = 0.2,
    deviation: float = 1.0,
) -> CodecModel:
    """Every layer sees `past` frames before its own; those of the decoder `ahead` after it, so that all of them look `layers` times as far.

    In training a share of `noise` of the latents' frames becomes noise of a standard `deviation`. Published for 50 frames a second; with
    hops of 160 and 640 samples, `past` is 64 and 16, `ahead` 4 and 1.
    """

    def transformer(lookahead: int) -> list[Streaming]:
        made: list[Streaming] = [
            TransformerLayer(width, hidden, heads, past + 1, lookahead, "swiglu", "rms", eps=1e-6, query_norm=1e-8) for _ in range(layers)
        ]
        return [*made, Each(ChannelRMSNorm(width, eps=1e-6))]

    encoder = LayeredEncoder(
        dim,
        PaddedConv1d(1, patch, hop_length, hop_length, bias=False),
        Pointwise(patch, width),
        *transformer(lookahead=0),
        Pointwise(width, dim),
        Each(FrameNoise(noise, deviation)),
    )
    decoder = LayeredDecoder(
        dim,
        Pointwise(dim, width),
        *transformer(lookahead=ahead),
        Pointwise(width, patch),
        PaddedConvTranspose1d(patch, 1, hop_length, hop_length, bias=False),
        pads=True,
    )
    return CodecModel(encoder, SimVQ(dim, 1, size, gradient="straight", bias=True), decoder, sample_rate)


def recipe() -> Recipe:
    """An autoencoder with noise in its latents, then codes for a finished encoder, then discriminators for the decoder alone."""
    return Recipe(
        (
            Stage("autoencoder", 400_000, {"multi_mel": 1.0}, train=frozenset({"encoder", "decoder"}), quantize="no"),
            Stage("codes", 200_000, {"multi_mel": 1.0, "commitment": 1.0}, train=frozenset({"quantizer", "decoder"})),
            Stage(
                "vocoder",
                400_000,
                {"multi_mel": 15.0, "mpd": 1.0, "mpd_features": 2.0, "complex_mrd": 1.0, "complex_mrd_features": 2.0},
                train=frozenset({"decoder"}),
                adversarial=True,
            ),
        ),
        settings={"prefix_odds": (1.0,)},
    )


DESIGN = Design(
    "magicodec",
    Card(
        paper='Song et al., "MagiCodec: simple masked Gaussian-injected codec" (arXiv 2506.00385)',
        summary="Noise in place of some latents while training makes the codes of a plain windowed transformer easier to model.",
        aims_at="LibriSpeech test-clean at 850 bit/s: word errors 3.16%, PESQ-WB 2.56, STOI .93, UTMOS 4.18, similarity .76",
        parameters=209.7,
        licence="none stated; the code is MIT",
        deviations=(
            "The codebook is SimVQ's: its base is frozen, where the authors train it too, and its losses are squared, not absolute.",
            "Without the penalty on the energy of the latents in the first stage, whose weight is not published.",
            "The deviation of the noise, the numbers of steps, the discriminators and their weights are not published; these are choices.",
            "No dropout in the transformers (10% in the authors' code).",
            "Their look-ahead of 40 ms is that of one layer of the decoder. Eight layers look ahead by 320 ms, which is declared here.",
            "Runs in single precision, where the authors' code rounds to bfloat16.",
        ),
    ),
    magicodec,
    recipe,
    small={"patch": 128, "width": 160, "layers": 4, "hidden": 384, "heads": 4, "ahead": 1, "size": 4096},
)
