"""Recurrent layers that carry their state from chunk to chunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.nn.streaming import State, Streaming


class LSTM(Streaming):
    """Long short-term memory over time, causal: (batch, dim, T) -> the same; with `skip` its input is added, as in EnCodec's SEANet."""

    def __init__(self, dim: int, layers: int = 2, skip: bool = True) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim, layers, batch_first=True)
        self.skip = skip

    def initial_state(self, batch: int, like: Tensor) -> State:
        zeros = like.new_zeros(self.lstm.num_layers, batch, self.lstm.hidden_size)
        return zeros, zeros

    def step(self, x: Tensor, state: State, final: bool = False) -> tuple[Tensor, State]:
        if not x.shape[-1]:
            return x, state
        y, state = self.lstm(x.transpose(1, 2), state)
        y = y.transpose(1, 2)
        return (y + x if self.skip else y), state


class BiLSTM(nn.Module):
    """Long short-term memory over time in both directions, for `Whole`: (batch, dim, T) -> (batch, 2 * dim, T).

    With `skip` the input is added to each direction, as in the SEANet of SpeechTokenizer and HH-Codec.
    """

    def __init__(self, dim: int, layers: int = 2, skip: bool = True) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim, layers, batch_first=True, bidirectional=True)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.lstm(x.transpose(1, 2))[0].transpose(1, 2)
        return y + torch.cat([x, x], dim=1) if self.skip else y
