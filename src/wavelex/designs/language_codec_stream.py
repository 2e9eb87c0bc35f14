"""Language-Codec for live speech: causal convolutions and 20 ms of look-ahead; 24 kHz, 75 frames a second, 8 x 1024 codes.

samples -> causal SEANet 2 x 4 x 5 x 8 (32 to 512 channels) -> LSTM x 2 -> latents 128 -> MCRVQ 8 x 1024, channels in three shares
samples <- inverse STFT 1280/320 <- magnitude, phase <- 12 x causal ConvNeXt 384 <- causal convolution over 7 frames <- latents 128 <-
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wavelex.codec.model import CodecModel
from wavelex.decoders.vocos import VocosDecoder
from wavelex.designs import language_codec
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.quantizers.masked_channel import MaskedChannelRVQ


def language_codec_stream(
    sample_rate: int = 24_000,
    dim: int = 128,
    filters: int = 32,
    strides: Sequence[int] = (2, 4, 5, 8),
    codebooks: int = 8,
    size: int = 1024,
    groups: int = 3,
    width: int = 384,
    hidden: int = 1152,
    blocks: int = 12,
    n_fft: int = 1280,
) -> CodecModel:
    """As `language_codec`, with all convolutions causal and zeros before a signal, so that nothing waits for its beginning.

    Look-ahead: none but that of the overlapping windows of the inverse STFT, 480 samples or 20 ms; with the frame 33 ms.
    """
    encoder = SEANetEncoder(dim, filters, strides, padding="zeros")
    quantizer = MaskedChannelRVQ(dim, codebooks, size, groups)
    decoder = VocosDecoder(dim, width, hidden, blocks, math.prod(strides), n_fft, causal=True)
    return CodecModel(encoder, quantizer, decoder, sample_rate)


DESIGN = Design(
    "language_codec_stream",
    Card(
        paper='this project; after Ji et al., "Language-Codec" (arXiv 2402.12208)',
        summary="The causal sibling of Language-Codec: 33 ms of latency instead of 603 ms.",
        aims_at="Language-Codec's results, see `language_codec`; what causality costs has not been published",
        licence="none: there are no published weights",
        deviations=(
            "Convolutions of encoder and decoder are causal and padded with zeros.",
            "Norms of the decoder are plain, as all codes have one bit rate.",
            "All that `language_codec` lists of training.",
        ),
    ),
    language_codec_stream,
    language_codec.recipe,
    small=language_codec.DESIGN.small,
)
