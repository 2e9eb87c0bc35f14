"""Frame-rate encoder: Fourier features of every hop into ConvNeXt blocks, so all work is done at the frame rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelex.encoders.base import Encoder
from wavelex.nn.convnext import ConvNeXtBlock, Pointwise
from wavelex.nn.stft import STFT
from wavelex.nn.streaming import Chain, State


class SpectralEncoder(Encoder):
    """Samples (batch, 1, T) in [-1, 1] to latents (batch, dim, ceil(T / hop_length)).

    Features are the log magnitude and the power-compressed real and imaginary parts of one STFT frame a hop:
    the first carries the envelope over its whole dynamic range, the others the phase without a wrap.
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
        stft_lookahead: int = 0,
    ) -> None:
        super().__init__()
        self.dim, self.hop_length = dim, hop_length
        self.stft = STFT(n_fft, hop_length, stft_lookahead)
        self.network = Chain(
            Pointwise(3 * (n_fft // 2 + 1), width),
            *(ConvNeXtBlock(width, hidden, dilation=d, lookahead=ahead) for d, ahead in blocks),
            Pointwise(width, dim, norm=True),
        )
        self.lookahead = stft_lookahead + hop_length * sum(ahead for _, ahead in blocks)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.stft.initial_state(batch, like), self.network.initial_state(batch, like.to(self.network.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        stft_state, network_state = state
        spectrum, stft_state = self.stft.step(x[:, 0], stft_state, final)
        features = spectral_features(spectrum).to(self.network.dtype)
        latents, network_state = self.network.step(features, network_state, final)
        return latents, (stft_state, network_state)


def spectral_features(spectrum: Tensor) -> Tensor:
    """Complex (batch, bins, frames) to real (batch, 3 * bins, frames), each part of order one for speech."""
    log_magnitude = spectrum.abs().clamp(min=1e-5).log()
    compressed = spectrum * ((-0.6 * log_magnitude).exp() * 3.0)
    return torch.cat([log_magnitude * 0.25 + 1.75, compressed.real, compressed.imag], dim=1)
