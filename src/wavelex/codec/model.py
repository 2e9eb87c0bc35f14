"""CodecModel: encoder, quantizer and decoder held together; tensors in, tensors out, nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from wavelex.decoders.base import Condition, Decoder
from wavelex.encoders.base import Encoder
from wavelex.errors import WavelexError
from wavelex.objectives.base import Made
from wavelex.quantizers.base import Quantizer


class CodecModel(nn.Module):
    """Samples (batch, channels, T) at `sample_rate` to codes (batch, codebooks, frames) and back, with gradients, on any device.

    `channels` is 1, or 2 for a model that codes them together and takes one channel as both. Any floating-point type (half precision
    is for a GPU; quantizer and Fourier transforms keep single). The end of a signal is followed by silence in both directions, so an
    item of a padded batch and a whole signal see the same input and give the same codes; parts that pad as published code does see to
    the end themselves (`pads`). A quantizer whose layout has superframes makes a frame of each: `hop_length`, frames and codes count
    superframes.
    """

    def __init__(self, encoder: Encoder, quantizer: Quantizer, decoder: Decoder, sample_rate: int) -> None:
        super().__init__()
        if encoder.channels != decoder.channels:
            raise ValueError(f"an encoder of {encoder.channels} channels and a decoder of {decoder.channels} make no codec")
        if isinstance(sample_rate, bool) or not isinstance(sample_rate, int) or sample_rate < 1:
            raise ValueError(f"a sample rate of {sample_rate!r}; give a whole number above 0")
        if encoder.hop_length != decoder.hop_length or encoder.hop_length < 1:
            raise ValueError(f"an encoder of {encoder.hop_length} samples a frame and a decoder of {decoder.hop_length} make no codec")
        if not quantizer.codebook_sizes or min(quantizer.codebook_sizes) < 2:
            raise ValueError("a codec needs codebooks of at least 2 codes")
        self.encoder, self.quantizer, self.decoder, self.sample_rate = encoder, quantizer, decoder, sample_rate
        self.design: str = ""
        """The name of the design that built it, and the arguments; what a checkpoint needs to build it again."""
        self.arguments: dict[str, Any] = {}

    @property
    def superframe(self) -> int:
        """Frames of encoder and decoder in one of the quantizer."""
        return self.quantizer.layout.superframe

    @property
    def channels(self) -> int:
        """Of the signal that codes stand for."""
        return self.encoder.channels

    @property
    def hop_length(self) -> int:
        """Samples of a frame of codes."""
        return self.encoder.hop_length * self.superframe

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.hop_length

    @property
    def codebook_sizes(self) -> list[int]:
        return self.quantizer.codebook_sizes

    @property
    def codebooks(self) -> int:
        return len(self.codebook_sizes)

    @property
    def lookahead(self) -> int:
        """Samples after a frame that encoder and decoder together wait for."""
        return self.encoder.lookahead + self.decoder.lookahead

    @property
    def latency(self) -> float:
        """Algorithmic latency in seconds: one frame and the look-ahead; infinite for a model that needs the whole signal."""
        return (self.hop_length + self.lookahead) / self.sample_rate if self.streams else math.inf

    @property
    def streams(self) -> bool:
        """Whether codes and samples come before the signal has ended."""
        return self.encoder.streams and self.decoder.streams

    @property
    def pads(self) -> bool:
        """Whether a part pads the end of a signal in its own way, so that only signals of one length can share a batch."""
        return self.encoder.pads or self.decoder.pads

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def bitrate(self, codebooks: int) -> float:
        """Nominal bits a second of one stream with that many codebooks."""
        return self.frame_rate * sum(math.log2(size) for size in self.codebook_sizes[:codebooks])

    def forward(self, samples: Tensor, num_codebooks: int | Tensor | None = None, quantize: bool = True) -> Made:
        """Samples (batch, 1 or channels, T) through the codec, differentiably; `quantize=False` decodes the latents themselves.

        Of one channel given to a model of two, the mean of what they became is given back.
        """
        latents = self.latents(samples)
        latents = latents.to(torch.promote_types(latents.dtype, torch.float32))
        quantized = self.quantizer(latents, num_codebooks) if quantize else None
        decoded = self.synthesize(quantized.latents if quantized else latents, Condition(codebooks=num_codebooks))
        decoded = decoded[..., : samples.shape[-1]]
        decoded = decoded.mean(dim=1, keepdim=True) if decoded.shape[1] > samples.shape[1] else decoded
        return Made(decoded, latents, quantized)

    def encode(self, samples: Tensor, lengths: Tensor | None = None, num_codebooks: int | None = None) -> Tensor:
        """Samples (batch, 1 or channels, T) or (batch, T) to codes (batch, codebooks, ceil(T / hop_length)): the nearest, without search.

        With `lengths` (batch,) in samples, codes of frames beyond an item's end are -1. Raises WavelexError for items of several
        lengths where the encoder `pads`.
        """
        samples = samples[:, None] if samples.ndim == 2 else samples
        if lengths is not None:
            if self.encoder.pads and (lengths != samples.shape[-1]).any():
                raise WavelexError("this design pads signals at their end, so those of one batch must be of one length; encode them apart")
            # What a batch was padded with must not be heard by the frames before it.
            there = torch.arange(samples.shape[-1], device=samples.device) < lengths.to(samples.device)[:, None]
            samples = samples * there[:, None]
        codes = self.quantizer.encode(self.latents(samples), num_codebooks)
        if lengths is not None:
            frames = -(-lengths.to(codes.device) // self.hop_length)
            codes = torch.where(torch.arange(codes.shape[2], device=codes.device) < frames[:, None, None], codes, -1)
        return codes

    def decode(self, codes: Tensor, condition: Condition | None = None) -> Tensor:
        """Codes (batch, any number of codebooks, frames) to samples (batch, channels, frames * hop_length); a code of -1 adds nothing."""
        return self.synthesize(self.quantizer.decode(codes), replace(condition or Condition(), codebooks=codes.shape[1]))

    def latents(self, samples: Tensor) -> Tensor:
        """Samples (batch, 1 or channels, T) to latents (batch, dim * superframe, ceil(T / hop_length))."""
        if samples.shape[1] not in (1, self.channels):
            raise ValueError(f"samples of {samples.shape[1]} channels for a model of {self.channels}")
        samples = samples.expand(-1, self.channels, -1)
        frames = -(-samples.shape[-1] // self.hop_length)
        silence = 0 if self.encoder.pads else frames * self.hop_length - samples.shape[-1] + self.encoder.lookahead
        latents: Tensor = self.encoder(nn.functional.pad(samples, (0, silence)))
        return stacked(latents[..., : frames * self.superframe], self.superframe)

    def synthesize(self, latents: Tensor, condition: Condition | None = None) -> Tensor:
        """Latents (batch, dim * superframe, frames) to samples (batch, channels, frames * hop_length)."""
        self.decoder.check_condition(condition)
        each = unstacked(latents, self.superframe)
        ahead = 0 if self.decoder.pads else -(-self.decoder.lookahead // self.decoder.hop_length)
        state = self.decoder.initial_state(len(each), each, condition)
        samples, _ = self.decoder.step(nn.functional.pad(each, (0, ahead)), state, final=True)
        return samples[..., : each.shape[-1] * self.decoder.hop_length]


def stacked(latents: Tensor, superframe: int) -> Tensor:
    """Latents (batch, dim, n * superframe) as those of superframes, (batch, superframe * dim, n)."""
    if superframe == 1:
        return latents
    batch, dim, frames = latents.shape
    return latents.reshape(batch, dim, frames // superframe, superframe).permute(0, 3, 1, 2).flatten(1, 2)


def unstacked(latents: Tensor, superframe: int) -> Tensor:
    """The inverse of `stacked`."""
    if superframe == 1:
        return latents
    batch, dims, frames = latents.shape
    return latents.reshape(batch, superframe, dims // superframe, frames).permute(0, 2, 3, 1).flatten(2)
