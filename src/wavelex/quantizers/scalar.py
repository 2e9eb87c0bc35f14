"""Continuous latents as codes: each channel rounded to even steps of a range. For codecs that are trained without codes."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantized
from wavelex.quantizers.side_by_side import Coded, SideBySide

LEAST_SPREAD = 1e-5
"""Of a channel that is always zero."""


class DimensionQuantizer(SideBySide):
    """2^bits even steps between -limit and limit times the spread of a channel, a codebook a channel of latents (batch, dim, frames).

    In training the latents stay continuous, and get noise: of one step's width, which is what rounding will do to them (Ballé et al.,
    arXiv 1611.01704), or with `deviation` above 0 Gaussian of a scale that is drawn from N(0, deviation) for each item, as in a sigma-VAE
    (Sun et al., "LatentLM", arXiv 2412.08635). The loss is half the mean square of the latents over their spread, which is what the
    Kullback-Leibler distance to a standard normal leaves of a fixed deviation. `start` takes the spread from latents; until then it is 1.
    """

    spread: Tensor
    fitted: Tensor

    def __init__(self, dim: int, bits: int = 6, limit: float = 4.0, deviation: float = 0.0) -> None:
        super().__init__(dim, slots=dim, width=1, projected=False)
        if not 1 <= bits <= 16 or not limit > 0 or deviation < 0:
            raise ValueError(f"{bits} bits within {limit} with a deviation of {deviation} cannot be")
        self.size, self.limit, self.deviation = 2**bits, limit, deviation
        self.register_buffer("spread", torch.ones(dim))
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def codebook_sizes(self) -> list[int]:
        return [self.size] * self.dim

    @property
    def _step(self) -> Tensor:
        """Width of a step of each channel, (dim, 1)."""
        step: Tensor = self.spread[:, None] * (2 * self.limit / self.size)
        return step

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        """See `SideBySide`."""
        quantized = super().forward(latents, num_codebooks)
        if not (self.training and torch.is_grad_enabled()):
            return quantized
        there = torch.arange(self.dim, device=latents.device) < self.counts(num_codebooks, latents)[:, None]
        return quantized._replace(latents=(latents + self._noise(latents)) * there[..., None])

    def code(self, channels: Tensor) -> Coded:
        """See `SideBySide`."""
        codes = (channels.detach() / self._step + self.size / 2).floor().clamp(0, self.size - 1).long()
        return Coded(codes, self.values(codes))

    def values(self, codes: Tensor) -> Tensor:
        """See `SideBySide`."""
        centres: Tensor = (codes + 0.5 - self.size / 2) * self._step
        return centres[:, :, None]

    def loss(self, channels: Tensor, coded: Coded, used: Tensor) -> Tensor:
        """See `SideBySide`."""
        loss: Tensor = 0.5 * (channels / self.spread[:, None])[used].square().mean()
        return loss

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Take each channel's spread, about zero, from latents (batch, dim, frames)."""
        self.spread.copy_(latents.square().mean((0, 2)).sqrt().clamp(min=LEAST_SPREAD))
        self.fitted.fill_(True)

    def _noise(self, latents: Tensor) -> Tensor:
        if self.deviation:
            return torch.randn_like(latents) * torch.randn(len(latents), 1, 1, device=latents.device) * self.deviation
        return (torch.rand_like(latents) - 0.5) * self._step
