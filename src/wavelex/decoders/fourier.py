"""Fourier decoder: ConvNeXt blocks at the frame rate predict a spectrum, the inverse STFT makes the samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.decoders.base import Condition, Decoder
from wavelex.decoders.noise import BandNoise
from wavelex.nn.convnext import ConvNeXtBlock, Pointwise
from wavelex.nn.stft import ISTFT
from wavelex.nn.streaming import Chain, State


class FourierDecoder(Decoder):
    """Latents (batch, dim, T) to samples (batch, 1, T * hop_length).

    After Siuzdak, "Vocos" (arXiv 2306.00814), with two changes: every latent frame yields `spectra_per_frame`
    spectra, so that windows overlap enough at a low frame rate; and the phase is the direction of a predicted
    vector, not an unbounded angle, so that it is a smooth function of the latents.

    With `noise_bands` > 0 the network also predicts, for that many bands of every spectrum, how much noise is added to the
    direction. Where the phase cannot be told from the latents, a network without noise gives every frame the same one, and
    the frame rate is heard as a buzz. The noise depends on the condition's seed and the absolute frame alone.
    `blocks` lists (dilation, lookahead in frames) of each ConvNeXt block; `lookahead` is in samples.
    """

    def __init__(
        self,
        dim: int,
        width: int,
        hidden: int,
        blocks: Sequence[tuple[int, int]],
        hop_length: int = 320,
        n_fft: int = 640,
        spectra_per_frame: int = 2,
        trim: int = 240,
        noise_bands: int = 0,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length = dim, hop_length
        self.bins, self.spectra_per_frame = n_fft // 2 + 1, spectra_per_frame
        self.network = Chain(
            Pointwise(dim, width),
            *(ConvNeXtBlock(width, hidden, dilation=d, lookahead=ahead) for d, ahead in blocks),
            Pointwise(width, spectra_per_frame * (3 * self.bins + noise_bands), norm=True),
        )
        self.noise = BandNoise(noise_bands, n_fft, hop_length // spectra_per_frame) if noise_bands else None
        self.istft = ISTFT(n_fft, hop_length // spectra_per_frame, trim)
        self.lookahead = trim + hop_length * sum(ahead for _, ahead in blocks)

    def initial_state(self, batch: int, like: Tensor, condition: Condition | None = None) -> State:
        seed = condition.seed if condition else 0
        # While training, every batch hears other noise: nothing is to be learned from one stretch of it.
        place = self.noise.place(None if self.training else seed) if self.noise else 0
        return self.network.initial_state(batch, like.to(self.network.dtype)), self.istft.initial_state(batch, like), place

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        network_state, istft_state, place = state
        predicted, network_state = self.network.step(x.to(self.network.dtype), network_state, final)
        spectrum = self._spectrum(predicted.to(self.istft.taper.dtype), place)
        samples, istft_state = self.istft.step(spectrum, istft_state, final)
        return samples[:, None], (network_state, istft_state, place + spectrum.shape[-1])

    def _spectrum(self, predicted: Tensor, place: int) -> Tensor:
        batch, _, frames = predicted.shape
        of_bins = self.spectra_per_frame * 3 * self.bins
        parts = predicted[:, :of_bins].reshape(batch, self.spectra_per_frame, 3, self.bins, frames)
        parts = parts.permute(2, 0, 3, 4, 1).reshape(3, batch, self.bins, frames * self.spectra_per_frame)
        log_magnitude, real, imag = parts
        # exp(-6) is the magnitude of quiet speech; the ceiling keeps an untrained or damaged model finite.
        magnitude = (log_magnitude - 6.0).clamp(max=3.0).exp()
        power = real.square() + imag.square() + 1e-6
        if self.noise:
            of_bands = predicted[:, of_bins:].reshape(batch, self.spectra_per_frame, self.noise.bands, frames)
            added, its_power = self.noise(of_bands.permute(0, 2, 3, 1).flatten(2), place)
            real, imag, power = real + added[0], imag + added[1], power + its_power
        scale = magnitude * torch.rsqrt(power)
        return torch.complex(real * scale, imag * scale)
