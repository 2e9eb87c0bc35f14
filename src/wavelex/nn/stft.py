"""Short-time Fourier transform and its inverse, with streaming state."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.nn.conv import OverlapAdd
from wavelex.nn.precision import FullPrecision
from wavelex.nn.streaming import State, Streaming, Window


class STFT(FullPrecision, Streaming):
    """Hann-windowed spectrum of every hop: (batch, T) -> complex (batch, n_fft // 2 + 1, ceil(T / hop)).

    Frame j covers the n_fft samples that end `lookahead` after its own hop. Scaled so that a full-scale sine
    has magnitude of order one whatever n_fft is.
    """

    taper: Tensor

    def __init__(self, n_fft: int, hop: int, lookahead: int = 0) -> None:
        super().__init__()
        self.n_fft, self.hop, self.lookahead = n_fft, hop, lookahead
        self.window = Window(n_fft, hop, lookahead)
        # On the CPU even where a model is built without memory: torch takes seconds to learn to make one there.
        taper = torch.hann_window(n_fft, device="cpu")
        self.register_buffer("taper", taper / taper.sum() * 2, persistent=False)

    def initial_state(self, batch: int, like: Tensor) -> State:
        return self.window.initial_buffer(batch, like=like.to(self.taper.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        ready_input, buffer, ready = self.window.advance(state, x.to(self.taper.dtype), final)
        if not ready:
            kind = torch.complex128 if self.taper.dtype == torch.float64 else torch.complex64
            return torch.zeros(x.shape[0], self.n_fft // 2 + 1, 0, dtype=kind, device=x.device), buffer
        frames = ready_input.unfold(-1, self.n_fft, self.hop) * self.taper
        return torch.fft.rfft(frames).transpose(1, 2), buffer


class ISTFT(FullPrecision, Streaming):
    """Weighted overlap-add synthesis: complex (batch, n_fft // 2 + 1, T) -> (batch, T * hop).

    Least-squares inverse (Griffin and Lim 1984, eq. 6) of an STFT whose frames start `trim` samples before their
    hop. Inverse of `STFT(n_fft, hop, lookahead)` for trim = n_fft - hop - lookahead, except that the last samples
    lack the later frames. Spectra are scaled as those of `STFT`; `scaled=False` takes them as torch scales them.
    """

    taper: Tensor

    def __init__(self, n_fft: int, hop: int, trim: int, scaled: bool = True) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.overlap = OverlapAdd(n_fft, hop, trim)
        self.lookahead = trim
        # On the CPU even where a model is built without memory: torch takes seconds to learn to make one there.
        taper = torch.hann_window(n_fft, device="cpu")
        self.register_buffer("taper", taper, persistent=False)
        self.gain = float(taper.sum() / 2) if scaled else 1.0

    def initial_state(self, batch: int, like: Tensor) -> State:
        real = like.real if like.is_complex() else like
        return self.overlap.initial_state((batch + 1,), real.to(self.taper.dtype))

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        count = x.shape[-1]
        # The windows' own energy travels as one more row, so that both edges are normalised exactly.
        if count:
            frames = torch.fft.irfft(x.transpose(1, 2), n=self.n_fft) * (self.taper * self.gain)
            energy = self.taper.square().expand(1, count, self.n_fft)
            summed = overlap_add(torch.cat([frames, energy], dim=0), self.hop)
        else:
            summed = state[0][:, :0]
        y, state = self.overlap.add(summed, state, final)
        return y[:-1] / y[-1:].clamp(min=1e-3), state


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum of frames (rows, count, span) placed every `hop` samples: (rows, (count - 1) * hop + span).

    One addition a hop-long slice of the frames, several times faster on a CPU than `fold`.
    """
    rows, count, span = frames.shape
    slices = -(-span // hop)
    frames = torch.nn.functional.pad(frames, (0, slices * hop - span))
    summed = frames.new_zeros(rows, count + slices - 1, hop)
    for index in range(slices):
        summed[:, index : index + count] += frames[:, :, index * hop : (index + 1) * hop]
    return summed.view(rows, -1)[:, : (count - 1) * hop + span]
