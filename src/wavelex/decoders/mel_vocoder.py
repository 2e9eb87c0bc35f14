"""Latents to a mel spectrogram by ConvNeXt blocks, mel to samples by a vocoder of the BigVGAN kind."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from wavelex.decoders.attention_block import AttentionBlock
from wavelex.decoders.base import Condition, Decoder
from wavelex.decoders.hifigan import HiFiGANDecoder
from wavelex.nn.combine import Each
from wavelex.nn.convnext import ConvNeXtBlock
from wavelex.nn.dilated import same_conv
from wavelex.nn.norm import ChannelLayerNorm
from wavelex.nn.padded import PaddedConvTranspose1d
from wavelex.nn.streaming import Chain, State
from wavelex.nn.whole import Whole

KERNEL = 7
EPS = 1e-6


class MelVocoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, 1, T * hop_length), by way of `bands` mel bands at `step` frames for each latent.

    Xue et al., "HH-Codec" (arXiv 2507.18897), section 3.3: the backbone of WavTokenizer's decoder (convolution, attention over the
    utterance, `blocks` ConvNeXt blocks), a transposed convolution that gives the mel spectrum, and a vocoder of `vocoder_width`, `rates`
    and `kernels` (see `HiFiGANDecoder` with snakes). All of the utterance is needed.
    """

    pads = True
    streams = False

    def __init__(
        self,
        dim: int = 512,
        width: int = 768,
        hidden: int = 2304,
        blocks: int = 12,
        bands: int = 100,
        step: int = 4,
        vocoder_width: int = 1536,
        rates: Sequence[int] = (4, 4, 2, 2, 2, 2),
        kernels: Sequence[int] = (8, 8, 4, 4, 4, 4),
    ) -> None:
        super().__init__()
        self.dim = dim
        self.mel = Chain(
            same_conv(dim, width, KERNEL),
            Whole(AttentionBlock(width), width),
            Each(ChannelLayerNorm(width, EPS)),
            *(ConvNeXtBlock(width, hidden, KERNEL, lookahead=KERNEL // 2, scale=1 / blocks, bias=True, eps=EPS) for _ in range(blocks)),
            Each(ChannelLayerNorm(width, EPS)),
            PaddedConvTranspose1d(width, bands, step, step),
        )
        self.vocoder = HiFiGANDecoder(bands, vocoder_width, rates, kernels, snake=True)
        self.hop_length = step * self.vocoder.hop_length

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        inner = like.to(self.mel.dtype)
        return self.mel.initial_state(batch, inner), self.vocoder.initial_state(batch, inner)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        of_mel, of_vocoder = state
        mel, of_mel = self.mel.step(x.to(self.mel.dtype), of_mel, final)
        samples, of_vocoder = self.vocoder.step(mel, of_vocoder, final)
        return samples, (of_mel, of_vocoder)
