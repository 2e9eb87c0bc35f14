"""Streams: one running signal each, over weights that any number of streams share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from wavelex.audio.resampling import Resampler
from wavelex.audio.samples import MOST_CHANNELS, as_samples
from wavelex.codec.concealment import Concealer
from wavelex.codec.model import CodecModel, stacked, unstacked
from wavelex.decoders.base import Condition
from wavelex.errors import WavelexError
from wavelex.nn.streaming import State
from wavelex.search.base import CodeSearch
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.tokens import LOST, as_codes, check_codes


class StreamEncoder:
    """Samples in, codes out when ready. Chunks of any size give the codes of the whole signal.

    Where two code vectors are equally near to within rounding, the size of the chunks can decide between them.
    """

    def __init__(self, model: CodecModel, search: CodeSearch, streams: int = 1, sample_rate: int | None = None) -> None:
        """Takes samples at `sample_rate`, the codec's unless given. A stream of a stereo codec has two channels."""
        self.streams, self.sample_rate = streams, sample_rate or model.sample_rate
        self._model, self._search = model, search
        self._like = next(model.encoder.parameters()).new_zeros(())
        self.reset()

    @property
    def channels(self) -> int:
        """Of one stream."""
        return self._model.channels

    def reset(self) -> None:
        """Begin another signal."""
        self._resampler = Resampler(self.sample_rate, self._model.sample_rate, self.streams * self._model.channels)
        self._state = self._model.encoder.initial_state(self.streams, self._like)
        self._held = self._like.new_zeros(self.streams, self._model.encoder.dim, 0)
        self._samples = self._frames = 0
        self._ended = False
        self._search.begin()

    def push(self, samples: np.ndarray | Tensor) -> np.ndarray:
        """Samples (n,) or (streams, n), float or int16, array or tensor -> codes (streams, codebooks, frames ready).

        A stereo codec takes (streams * 2, n), the channels of a stream one after the other, or one channel a stream as both. Raises
        WavelexError for another number of streams, samples that are not finite, and after `flush`.
        """
        if self._ended:
            raise WavelexError("this stream has ended with flush; reset it, or make another, for the next signal")
        channels = self._model.channels
        chunk = as_samples(samples, max(MOST_CHANNELS, self.streams * channels))
        if channels > 1 and chunk.shape[0] == self.streams:
            chunk = np.repeat(chunk, channels, axis=0)
        if chunk.shape[0] != self.streams * channels:
            raise WavelexError(f"a chunk of {chunk.shape[0]} channels for {self.streams} streams")
        return self._codes(self._resampler.push(chunk))

    def flush(self) -> np.ndarray:
        """The end of the signal: the codes still waiting for look-ahead."""
        rest = self._codes(self._resampler.push(np.zeros((self.streams * self._model.channels, 0), np.float32), last=True))
        encoder = self._model.encoder
        missing = 0 if encoder.pads else -self._samples % self._model.hop_length + encoder.lookahead
        silence = torch.zeros(self.streams, self._model.channels, missing, device=self._like.device)
        self._ended = True
        with torch.inference_mode():
            latents = self._latents(silence, final=True)
            codes = [self._search.push(latents, silence[:, 0, :0]), self._search.flush()]
        return np.concatenate([rest, *(each.cpu().numpy() for each in codes)], axis=2)

    @torch.inference_mode()
    def _codes(self, chunk: np.ndarray) -> np.ndarray:
        samples = torch.from_numpy(chunk).to(self._like.device).reshape(self.streams, self._model.channels, -1)
        self._samples += samples.shape[2]
        return self._search.push(self._latents(samples, final=False), samples.mean(dim=1)).cpu().numpy()

    def _latents(self, samples: Tensor, final: bool) -> Tensor:
        """Those that are ready: whole superframes, and at the end no more than the samples fill."""
        latents, self._state = self._model.encoder.step(samples, self._state, final)
        latents = torch.cat([self._held, latents], dim=2)
        superframe = self._model.superframe
        ready = latents.shape[2] // superframe
        if final:
            # Silence appended at the end may complete frames beyond the last sample.
            ready = -(-self._samples // self._model.hop_length) - self._frames
        self._held = latents[..., ready * superframe :]
        self._frames += ready
        return stacked(latents[..., : ready * superframe], superframe)


class StreamDecoder:
    """Codes in, samples out when ready. Chunks of any size give the samples of the whole sequence.

    A decoder that knows the bit rate takes it from the first chunk's number of codebooks.
    """

    def __init__(
        self,
        model: CodecModel,
        streams: int = 1,
        prior: Prior | None = None,
        sample_rate: int | None = None,
        condition: Condition | None = None,
    ) -> None:
        """Gives samples at `sample_rate`, the codec's unless given; of a stereo codec two channels a stream.

        With a `prior`, LOST frames are concealed; without, they are silent.
        """
        self.streams, self.sample_rate = streams, sample_rate or model.sample_rate
        self._model, self._prior, self._condition = model, prior, condition
        model.decoder.check_condition(condition)
        self._like = next(model.decoder.parameters()).new_zeros(())
        self.reset()

    @property
    def channels(self) -> int:
        """Of the samples that it gives: those of all streams."""
        return self.streams * self._model.channels

    def reset(self) -> None:
        """Begin another sequence."""
        self._resampler = Resampler(self._model.sample_rate, self.sample_rate, self.channels)
        self._state: State = None
        self._heard = np.zeros((self.streams, 0), np.float32)
        self._frames = self._given = 0
        self._concealer = Concealer(self._model.quantizer, self._prior, self.streams, self._model.frame_rate) if self._prior else None
        self._ended = False

    @torch.inference_mode()
    def push(self, codes: np.ndarray | Tensor) -> np.ndarray:
        """Codes (streams, codebooks, n) or (codebooks, n), array or tensor -> samples (streams * channels of the codec, ready).

        Raises WavelexError for codes out of range, another number of streams, and after `flush`.
        """
        if self._ended:
            raise WavelexError("this stream has ended with flush; reset it, or make another, for the next sequence")
        chunk = as_codes(codes)
        sizes, hop = self._model.codebook_sizes, self._model.hop_length
        if chunk.shape[0] != self.streams or not 1 <= chunk.shape[1] <= len(sizes):
            raise WavelexError(f"codes of shape {chunk.shape} for {self.streams} streams and up to {len(sizes)} codebooks")
        check_codes(chunk, sizes[: chunk.shape[1]], "codes")
        self._frames += chunk.shape[2]
        if self._state is None:
            self._begin(chunk.shape[1])
        if not chunk.shape[2]:
            latents = self._like.new_zeros(self.streams, self._model.decoder.dim * self._model.superframe, 0)
            heard = arrived(chunk, hop)
        elif self._concealer:
            latents, heard = self._concealer.fill(chunk, hop)
        else:
            latents = self._model.quantizer.decode(torch.from_numpy(chunk).to(self._like.device))
            heard = arrived(chunk, hop)
        self._heard = np.concatenate([self._heard, heard], axis=1)
        return self._resampler.push(self._advance(unstacked(latents, self._model.superframe), final=False))

    @torch.inference_mode()
    def flush(self) -> np.ndarray:
        """The end of the sequence: the samples still waiting for look-ahead."""
        decoder = self._model.decoder
        ahead = 0 if decoder.pads else -(-decoder.lookahead // decoder.hop_length)
        if self._state is None:
            self._begin(self._model.codebooks)
        samples = self._advance(self._like.new_zeros(self.streams, decoder.dim, ahead), final=True)
        self._ended = True
        return np.concatenate(
            [self._resampler.push(samples), self._resampler.push(np.zeros((self.channels, 0), np.float32), last=True)], axis=1
        )

    def _begin(self, codebooks: int) -> None:
        """The decoder's state, for codes with so many codebooks."""
        condition = replace(self._condition or Condition(), codebooks=codebooks)
        self._state = self._model.decoder.initial_state(self.streams, self._like, condition)

    def _advance(self, latents: Tensor, final: bool) -> np.ndarray:
        y, self._state = self._model.decoder.step(latents, self._state, final)
        wanted = self._frames * self._model.hop_length - self._given
        samples = y[..., :wanted].flatten(0, 1).float().cpu().numpy()
        heard, self._heard = self._heard[:, : samples.shape[1]], self._heard[:, samples.shape[1] :]
        self._given += samples.shape[1]
        return samples * np.repeat(heard, self._model.channels, axis=0)


def arrived(codes: np.ndarray, hop_length: int) -> np.ndarray:
    """1 for samples of frames that arrived, 0 for those of LOST frames: (streams, frames * hop_length) float32."""
    return np.repeat(codes[:, 0] != LOST, hop_length, axis=1).astype(np.float32)
