"""A signal stretch by stretch through the encoder and the refinement, with the interface of a streaming encoder."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wavelex.codec.streams import CodeSearch, LatentStream
from wavelex.decoders.base import Decoder
from wavelex.encoders.base import Encoder
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
    """Samples in, codes out a stretch at a time. Not for live streams: it waits for a stretch and the frames after it.

    `counts` (streams, frames of the whole signal) are the codebooks of each frame, where these differ.
    """

    def __init__(self, encoder: Encoder, quantizer: Quantizer, refiner: Refiner, streams: int, counts: Tensor | None = None) -> None:
        self.streams = streams
        self._hop = encoder.hop_length
        self._quantizer, self._refiner, self._counts = quantizer, refiner, counts
        self._stream = LatentStream(encoder, streams)
        like = next(encoder.parameters())
        self._no_samples, self._no_latents = like.new_zeros(streams, 0), like.new_zeros(streams, encoder.dim, 0)
        self._begin()

    def _begin(self) -> None:
        self._samples, self._latents, self._past = self._no_samples, self._no_latents, self._no_latents
        self._settled = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Samples (n,) or (streams, n), float or int16, at the codec's rate -> codes (streams, codebooks, frames settled)."""
        chunk, latents = self._stream.push(samples)
        self._samples = torch.cat([self._samples, torch.from_numpy(chunk).to(self._samples.device)], dim=1)
        self._latents = torch.cat([self._latents, latents], dim=2)
        return self._joined([self._settle(STRETCH, STRETCH + AHEAD) for _ in range((self._latents.shape[2] - AHEAD) // STRETCH)])

    def flush(self) -> np.ndarray:
        """End of the signal: the codes of what is left. The session then begins anew."""
        self._latents = torch.cat([self._latents, self._stream.flush()], dim=2)
        left = self._latents.shape[2]
        self._samples = torch.nn.functional.pad(self._samples, (0, left * self._hop - self._samples.shape[1]))
        settled = []
        while left > 0:
            count = left if left <= STRETCH + AHEAD else STRETCH
            settled.append(self._settle(count, min(left, count + AHEAD)))
            left -= count
        codes = self._joined(settled)
        self._begin()
        return codes

    @torch.inference_mode(False)
    @torch.no_grad()
    def _settle(self, count: int, seen: int) -> np.ndarray:
        counts = None if self._counts is None else self._counts[:, self._settled : self._settled + seen]
        found = self._refiner.refine(
            self._samples[:, : seen * self._hop].clone(), self._latents[:, :, :seen].clone(), self._past.clone(), counts
        )
        codes = found[:, :, :count]
        self._past = torch.cat([self._past, self._quantizer.decode(codes)], dim=2)[:, :, -BEHIND:]
        self._samples, self._latents = self._samples[:, count * self._hop :], self._latents[:, :, count:]
        self._settled += count
        return codes.cpu().numpy()

    def _joined(self, settled: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.zeros((self.streams, self._refiner.search.codebooks, 0), np.int64), *settled], axis=2)


def make_refiner(quantizer: Quantizer, decoder: Decoder, sample_rate: int, search: CodeSearch, effort: Effort) -> Refiner:
    """With the objective that codecs are trained with."""
    # What is made in inference mode could take no part in a gradient.
    with torch.inference_mode(False):
        objective = Reconstruction(sample_rate, ReconstructionWeights()).to(next(decoder.parameters()).device)
    return Refiner(quantizer, decoder, objective, search, effort)
