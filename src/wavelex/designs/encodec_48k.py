r"""EnCodec at 48 kHz: stereo, segments of 1 s, 150 frames a second, up to 16 x 1024 codes (1.5 kbit/s each) and a level.

samples -> 1 s at level 1 -> SEANet 32 filters, strides 2 4 5 8, group norms, 2 x LSTM 512 -> latents 128 -> RVQ 16 x 1024
                \-> level in decibels -------------------------------------------------------------------------> 0.1 dB steps
samples <- times the level <- SEANet 32 filters, strides 8 5 4 2, group norms, 2 x LSTM 512 <- latents 128 <-
"""

from __future__ import annotations

from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.decoders.seanet import SEANetDecoder
from wavelex.decoders.segments import SegmentDecoder
from wavelex.designs import encodec_24k
from wavelex.designs.base import Card, Design
from wavelex.encoders.seanet import SEANetEncoder
from wavelex.encoders.segments import SegmentEncoder
from wavelex.quantizers.level import LevelVQ
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.recipe import Recipe, Stage


def encodec_48k(frames: int = 150, codebooks: int = 16, size: int = 1024, sample_rate: int = 48_000, **seanet: Any) -> CodecModel:
    """Segments of `frames` frames; `seanet` are arguments of `SEANetEncoder`, for both sides; nothing given is the published size."""
    arguments = {"causal": False, "norm": True, "channels": 2, **seanet}
    encoder, decoder = SEANetEncoder(**arguments), SEANetDecoder(**arguments)
    quantizer = LevelVQ(ResidualVQ(encoder.dim, codebooks, size))
    return CodecModel(SegmentEncoder(encoder, frames), quantizer, SegmentDecoder(decoder, frames), sample_rate)


def recipe() -> Recipe:
    """That of 24 kHz with the paper's weights for 48 kHz (section 4.4), and the level besides 2, 4, 8 or 16 codebooks."""
    causal = encodec_24k.recipe()
    objectives = {**causal.stages[0].objectives, "ms_stft": 4.0, "ms_stft_features": 4.0}
    odds = tuple(0.25 if count - 1 in (2, 4, 8, 16) else 0.0 for count in range(1, 18))
    return Recipe(
        (Stage("codec", 600_000, objectives, adversarial=True, start="kmeans"),),
        options=causal.options,
        settings={**causal.settings, "prefix_odds": odds},
    )


DESIGN = Design(
    "encodec_48k",
    Card(
        paper='Défossez et al., "High Fidelity Neural Audio Compression" (arXiv 2210.13438)',
        summary="Stereo at 48 kHz: the network sees a second at a time, at one level, and normalises over all of it.",
        aims_at="the paper's listening test of stereo music: at 6 kbit/s as good as MP3 at 64",
        parameters=14.85,
        licence="MIT, with the released code",
        deviations=(
            "Segments of a second lie side by side; published they overlap by 10 ms, which are coded twice and faded into each other.",
            "The level of a segment is a code of 0.1 dB at every frame, from -96 dB on; published it is a number of 32 bits for each.",
            *encodec_24k.DESIGN.card.deviations[1:],
            "Recordings of one channel train both channels, whose mean is compared.",
        ),
    ),
    encodec_48k,
    recipe,
    small={"sample_rate": 16_000, "strides": [3, 3, 3, 4], "frames": 148, "filters": 12, "codebooks": 4},
)
