"""A signal stretch by stretch through the encoder and the refinement, with the interface of a streaming encoder."""

from __future__ import annotations

import numpy as np
import torch

from wavelex.audio import as_samples
from wavelex.decoders.base import Decoder
from wavelex.encoders.base import Encoder
from wavelex.errors import WavelexError
from wavelex.objectives.reconstruction import Reconstruction, ReconstructionWeights
from wavelex.quantizers.base import Quantizer
from wavelex.search.effort import Effort
from wavelex.search.refine import Refiner

STRETCH = 400
"""Frames that are settled together."""
AHEAD = 25
"""Frames after them that are refined along, so that the last ones are judged by all they do; they are settled with the next."""
BEHIND = 60
"""Settled frames before them that the decoder is given: all that reach into the stretch."""


class RefiningEncoder:
    """Samples in, codes out a stretch at a time. Not for live streams: it waits for a stretch and the frames after it."""

    def __init__(self, encoder: Encoder, quantizer: Quantizer, refiner: Refiner, streams: int) -> None:
        self.streams = streams
        self._encoder, self._quantizer, self._refiner = encoder, quantizer, refiner
        self._like = next(encoder.parameters()).new_zeros(())
        self._begin()

    def _begin(self) -> None:
        self._state = self._encoder.initial_state(self.streams, self._like)
        self._samples = self._like.new_zeros(self.streams, 0)
        self._latents = self._like.new_zeros(self.streams, self._encoder.dim, 0)
        self._past = self._latents
        self._length = self._settled = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Samples (n,) or (streams, n), float or int16, at the codec's rate -> codes (streams, codebooks, frames settled)."""
        chunk = as_samples(samples)
        if chunk.shape[0] != self.streams:
            raise WavelexError(f"a chunk of {chunk.shape[0]} streams for a session of {self.streams}")
        self._length += chunk.shape[1]
        self._take(chunk, final=False)
        settled = [self._settle(STRETCH, STRETCH + AHEAD) for _ in range((self._latents.shape[2] - AHEAD) // STRETCH)]
        return self._joined(settled)

    def flush(self) -> np.ndarray:
        """End of the signal: the codes of what is left. The session then begins anew."""
        missing = -self._length % self._encoder.hop_length
        self._take(np.zeros((self.streams, missing + self._encoder.lookahead), np.float32), final=True)
        left = -(-self._length // self._encoder.hop_length) - self._settled
        self._latents = self._latents[:, :, :left]
        settled = []
        while left > 0:
            count = left if left <= STRETCH + AHEAD else STRETCH
            settled.append(self._settle(count, min(left, count + AHEAD)))
            left -= count
        codes = self._joined(settled)
        self._begin()
        return codes

    @torch.no_grad()
    def _take(self, chunk: np.ndarray, final: bool) -> None:
        x = torch.from_numpy(chunk).to(self._like.device)
        self._samples = torch.cat([self._samples, x], dim=1)
        latents, self._state = self._encoder.step(x[:, None], self._state, final)
        self._latents = torch.cat([self._latents, latents], dim=2)

    @torch.no_grad()
    def _settle(self, count: int, seen: int) -> np.ndarray:
        hop = self._encoder.hop_length
        codes = self._refiner.refine(self._samples[:, : seen * hop], self._latents[:, :, :seen], self._past)[:, :, :count]
        self._past = torch.cat([self._past, self._quantizer.decode(codes)], dim=2)[:, :, -BEHIND:]
        self._samples, self._latents = self._samples[:, count * hop :], self._latents[:, :, count:]
        self._settled += count
        return codes.cpu().numpy()

    def _joined(self, settled: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.zeros((self.streams, self._refiner.codebooks, 0), np.int64), *settled], axis=2)


def refining_encoder(
    encoder: Encoder, quantizer: Quantizer, decoder: Decoder, sample_rate: int, codebooks: int, effort: Effort, streams: int
) -> RefiningEncoder:
    """With the objective that codecs are trained with."""
    objective = Reconstruction(sample_rate, ReconstructionWeights()).to(next(decoder.parameters()).device)
    return RefiningEncoder(encoder, quantizer, Refiner(quantizer, decoder, objective, codebooks, effort), streams)
