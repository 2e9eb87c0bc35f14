"""The Vocos decoder as published: ConvNeXt blocks at the frame rate, magnitude and phase of one spectrum a frame, the inverse STFT."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.decoders.attention_block import AttentionBlock
from wavelex.decoders.base import Condition, Decoder
from wavelex.nn.convnext import AdaptiveLayerNorm, ConvNeXtBlock, Pointwise
from wavelex.nn.padded import PaddedConv1d
from wavelex.nn.stft import ISTFT
from wavelex.nn.streaming import State
from wavelex.nn.whole import Whole

KERNEL = 7
EPS = 1e-6
LOUDEST = math.log(100.0)
"""Of the log magnitude of a bin."""


class VocosDecoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, 1, T * hop_length).

    Siuzdak, "Vocos" (arXiv 2306.00814), sections 3.2 and 3.3: a convolution over 7 frames, `blocks` ConvNeXt blocks, and a linear layer
    that gives log magnitude and phase. Convolutions see as many frames after a frame as before it and zeros beyond both ends; with
    `causal`, which is not published, none after it. Samples begin half a window less half a hop into the first frame's window, where its
    overlap is complete ("same"), or at its middle with `center`; the published code then gives T - 1 hops, here the last one is kept.

    With `rows` norms are adaptive with a row for each bit rate; `rows` says up to how many codebooks each is for, and latents of more
    take the last one. With `attention` WavTokenizer's `AttentionBlock` comes before the blocks, and nothing streams.
    """

    pads = True

    def __init__(
        self,
        dim: int,
        width: int = 384,
        hidden: int = 1152,
        blocks: int = 8,
        hop_length: int = 320,
        n_fft: int = 1280,
        rows: Sequence[int] = (),
        attention: bool = False,
        causal: bool = False,
        center: bool = False,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length, self.rows, self.streams = dim, hop_length, tuple(rows), not attention
        ahead = 0 if causal else KERNEL // 2
        trim = n_fft // 2 if center else (n_fft - hop_length) // 2
        self.embed = PaddedConv1d(dim, width, KERNEL, left=KERNEL - 1 - ahead, right=ahead)
        self.attention = Whole(AttentionBlock(width), width) if attention else None
        self.norm = AdaptiveLayerNorm(width, len(rows), EPS) if rows else nn.LayerNorm(width, EPS)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(width, hidden, KERNEL, lookahead=ahead, scale=1 / blocks, bias=True, rows=len(rows), eps=EPS)
            for _ in range(blocks)
        )
        self.head = Pointwise(width, n_fft + 2, norm=True, eps=EPS)
        self.istft = ISTFT(n_fft, hop_length, trim, scaled=False)
        self.lookahead = ahead * (blocks + 1) * hop_length + trim
        self._begin_as_published()

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        inner = like.to(self.head.linear.weight.dtype)
        return (
            self.embed.initial_state(batch, inner),
            self.attention.initial_state(batch, inner) if self.attention else (),
            tuple(block.initial_state(batch, inner) for block in self._blocks),
            self.istft.initial_state(batch, like),
            self._row(batch, like.device, condition.codebooks if condition else None) if self.rows else None,
        )

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        embed, attention, blocks, istft, row = state
        y, embed = self.embed.step(x.to(self.head.linear.weight.dtype), embed, final)
        if self.attention:
            y, attention = self.attention.step(y, attention, final)
        y = y.transpose(1, 2)
        y = (self.norm(y) if row is None else self.norm(y, row)).transpose(1, 2)
        carried = []
        for block, of_block in zip(self._blocks, blocks, strict=True):
            y, of_block = block.step(y, of_block, final, row)
            carried.append(of_block)
        y, _ = self.head.step(y, ())
        log_magnitude, phase = y.to(self.istft.taper.dtype).chunk(2, dim=1)
        samples, istft = self.istft.step(torch.polar(log_magnitude.clamp(max=LOUDEST).exp(), phase), istft, final)
        return samples[:, None], (embed, attention, tuple(carried), istft, row)

    @property
    def _blocks(self) -> list[ConvNeXtBlock]:
        return [block for block in self.blocks if isinstance(block, ConvNeXtBlock)]

    def _row(self, batch: int, device: torch.device, codebooks: int | Tensor | None) -> Tensor:
        """The first row that is for so many codebooks or more, (batch,)."""
        most = torch.tensor(self.rows, device=device)
        wanted = torch.as_tensor(max(self.rows) if codebooks is None else codebooks, device=device).expand(batch)
        enough = most >= wanted[:, None].clamp(max=max(self.rows))
        return enough.int().argmax(dim=1)

    def _begin_as_published(self) -> None:
        layers: list[nn.Conv1d | nn.Linear] = [self.embed.conv]
        for block in self._blocks:
            nn.init.trunc_normal_(block.depthwise, std=0.02)
            layers += [block.expand, block.contract]
        for layer in layers:
            nn.init.trunc_normal_(layer.weight, std=0.02)
            assert layer.bias is not None, "all have one"
            nn.init.zeros_(layer.bias)
