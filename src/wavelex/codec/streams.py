"""Streaming sessions: one running signal each, over weights that any number of sessions share."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from wavelex.audio.files import as_samples
from wavelex.codec.concealment import Concealer
from wavelex.decoders.base import Decoder
from wavelex.encoders.base import Encoder
from wavelex.errors import WavelexError
from wavelex.quantizers.base import Quantizer
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.tokens import LOST, check_codes


class CodeSearch(Protocol):
    """Chooses the codes of running latents, those of every frame at once; see `wavelex.search`."""

    codebooks: int

    def begin(self) -> None: ...

    def choose(self, latents: torch.Tensor, counts: torch.Tensor | None = None) -> torch.Tensor: ...


class LatentStream:
    """Samples in, latents out when ready; what encoding sessions share."""

    def __init__(self, encoder: Encoder, streams: int) -> None:
        self.streams, self._encoder = streams, encoder
        self._like = next(encoder.parameters()).new_zeros(())
        self._begin()

    def _begin(self) -> None:
        self._state = self._encoder.initial_state(self.streams, self._like)
        self._samples = self._frames = 0

    def push(self, samples: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        """Samples (n,) or (streams, n), float or int16 -> the same as float32 (streams, n), and latents (streams, dim, frames ready).

        Raises WavelexError for another number of streams or samples that are not finite.
        """
        chunk = as_samples(samples)
        if chunk.shape[0] != self.streams:
            raise WavelexError(f"a chunk of {chunk.shape[0]} streams for a session of {self.streams}")
        self._samples += chunk.shape[1]
        return chunk, self._advance(chunk, final=False)

    def flush(self) -> torch.Tensor:
        """End of the signal: the latents still waiting for look-ahead. The stream then begins anew."""
        missing = -self._samples % self._encoder.hop_length
        latents = self._advance(np.zeros((self.streams, missing + self._encoder.lookahead), np.float32), final=True)
        self._begin()
        return latents

    @torch.inference_mode()
    def _advance(self, chunk: np.ndarray, final: bool) -> torch.Tensor:
        x = torch.from_numpy(chunk).to(self._like.device)[:, None]
        latents, self._state = self._encoder.step(x, self._state, final)
        # Silence appended at the end may complete frames beyond the last sample.
        wanted = -(-self._samples // self._encoder.hop_length) - self._frames
        latents = latents[..., :wanted] if final else latents
        self._frames += latents.shape[-1]
        return latents


class StreamEncoder:
    """Samples in, codes out when ready. Chunks of any size give the codes of the whole signal."""

    def __init__(self, encoder: Encoder, search: CodeSearch, streams: int = 1) -> None:
        self.streams = streams
        self._stream = LatentStream(encoder, streams)
        self._search = search

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Samples (n,) or (streams, n), float or int16, at the codec's rate -> codes (streams, codebooks, frames ready).

        Raises WavelexError for another number of streams or samples that are not finite.
        """
        return self._codes(self._stream.push(samples)[1])

    def flush(self) -> np.ndarray:
        """End of the signal: the codes still waiting for look-ahead. The session then begins anew."""
        codes = self._codes(self._stream.flush())
        self._search.begin()
        return codes

    @torch.inference_mode()
    def _codes(self, latents: torch.Tensor) -> np.ndarray:
        return self._search.choose(latents).cpu().numpy()


class StreamDecoder:
    """Codes in, samples out when ready. Chunks of any size give the samples of the whole sequence."""

    def __init__(self, quantizer: Quantizer, decoder: Decoder, streams: int = 1, prior: Prior | None = None) -> None:
        """With a `prior`, LOST frames are concealed; without, they are silent."""
        self.streams = streams
        self._quantizer, self._decoder, self._prior = quantizer, decoder, prior
        self._like = next(decoder.parameters()).new_zeros(())
        self._begin()

    def _begin(self) -> None:
        self._state = self._decoder.initial_state(self.streams, self._like)
        self._heard = np.zeros((self.streams, 0), np.float32)
        self._frames = self._given = 0
        self._concealer = Concealer(self._quantizer, self._prior, self.streams) if self._prior else None

    @torch.inference_mode()
    def push(self, codes: np.ndarray) -> np.ndarray:
        """Codes (streams, codebooks, n) or (codebooks, n) -> samples (streams, ready) at the codec's rate.

        Raises WavelexError for codes out of range or another number of streams.
        """
        chunk = codes[None] if codes.ndim == 2 else codes
        sizes = self._quantizer.codebook_sizes
        if chunk.ndim != 3 or chunk.shape[0] != self.streams or not 1 <= chunk.shape[1] <= len(sizes):
            raise WavelexError(f"codes of shape {codes.shape} for a session of {self.streams} streams and up to {len(sizes)} codebooks")
        check_codes(chunk, sizes[: chunk.shape[1]], "codes")
        self._frames += chunk.shape[2]
        if self._concealer:
            latents, heard = self._concealer.fill(chunk, self._decoder.hop_length)
        else:
            latents = self._quantizer.decode(torch.from_numpy(chunk).to(self._like.device))
            heard = arrived(chunk, self._decoder.hop_length)
        self._heard = np.concatenate([self._heard, heard], axis=1)
        return self._advance(latents, final=False)

    @torch.inference_mode()
    def flush(self) -> np.ndarray:
        """End of the sequence: the samples still waiting for look-ahead. The session then begins anew."""
        ahead = -(-self._decoder.lookahead // self._decoder.hop_length)
        samples = self._advance(self._like.new_zeros(self.streams, self._decoder.dim, ahead), final=True)
        self._begin()
        return samples

    def _advance(self, latents: torch.Tensor, final: bool) -> np.ndarray:
        y, self._state = self._decoder.step(latents, self._state, final)
        wanted = self._frames * self._decoder.hop_length - self._given
        samples = y[:, 0, :wanted].cpu().numpy()
        heard, self._heard = self._heard[:, : samples.shape[1]], self._heard[:, samples.shape[1] :]
        self._given += samples.shape[1]
        return samples * heard


def arrived(codes: np.ndarray, hop_length: int) -> np.ndarray:
    """1 for samples of frames that arrived, 0 for those of LOST frames: (streams, frames * hop_length) float32."""
    return np.repeat(codes[:, 0] != LOST, hop_length, axis=1).astype(np.float32)
