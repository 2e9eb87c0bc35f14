"""Log-mel spectra of samples, with streaming state."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from wavelex.nn.mel import mel_bank
from wavelex.nn.precision import FullPrecision
from wavelex.nn.stft import STFT
from wavelex.nn.streaming import State, Streaming


class LogMel(FullPrecision, Streaming):
    """Samples (batch, 1, T) to logarithms of mel magnitudes (batch, bands, ceil(T / hop)), not below that of `floor`.

    Windows are Hann's, centred on their hop unless `causal`, which sees nothing after it; magnitudes as torch scales them, filters of
    Slaney's scale. `lookahead` is in samples.
    """

    bank: Tensor

    def __init__(self, sample_rate: int, n_fft: int, hop: int, bands: int, floor: float = 1e-5, causal: bool = False) -> None:
        super().__init__()
        self.bands, self.floor = bands, floor
        self.lookahead = 0 if causal else (n_fft - hop) // 2
        self.pace = Fraction(hop)
        self.stft = STFT(n_fft, hop, self.lookahead)
        # On the CPU even where a model is built without memory, as its points are computed in numbers.
        with torch.device("cpu"):
            bank = mel_bank(sample_rate, n_fft, bands, "slaney")
        # Undoes what `STFT` scales by.
        self.register_buffer("bank", bank * (n_fft / 4), persistent=False)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.stft.initial_state(batch, like)

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        spectrum, state = self.stft.step(x[:, 0], state, final)
        return torch.matmul(self.bank, spectrum.abs()).clamp(min=self.floor).log().to(x.dtype), state
