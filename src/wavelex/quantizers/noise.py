"""Noise in place of some frames before the quantizer, and some items past it, in training only."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.codebook import mean_of_rows
from wavelex.quantizers.wrapper import Wrapper


class Perturbed(Wrapper):
    """Replaces each frame with the chance `replace` by Gaussian noise, and lets each item pass unquantized with the chance `skip`.

    Song et al., "MagiCodec" (arXiv 2506.00385): replacing a share p of the latents by noise of deviation s multiplies the
    Fourier transform of what the decoder learns by (1 - p) + p exp(-s^2 |w|^2 / 2), which leaves it smooth and its tokens easier to
    predict. The deviation, which the paper does not tell, is `spread` times a running one of each channel. A replaced frame sends
    no gradient to the encoder. Items that skip are those of Défossez et al., "Moshi" (arXiv 2410.00037), section 3.3; their codes and
    loss are as if they did not.
    """

    mean: Tensor
    power: Tensor
    seen: Tensor

    def __init__(self, inner: Quantizer, dim: int, replace: float = 0.2, skip: float = 0.0, spread: float = 1.0) -> None:
        super().__init__(inner)
        if not (0 <= replace <= 1 and 0 <= skip <= 1):
            raise ValueError(f"chances of {replace} and {skip}; give them from 0 to 1")
        self.replace, self.skip, self.spread = replace, skip, spread
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("power", torch.ones(dim))
        self.register_buffer("seen", torch.tensor(0))
        # All statistics of a batch pass through here: a batch that is spread over processes is averaged by replacing it.
        self.average: Callable[[Tensor], Tensor] = mean_of_rows

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(latents, num_codebooks)
        self._follow(latents.detach())
        found: Quantized = self.inner(self._with_noise(latents), num_codebooks)
        if not self.skip:
            return found
        passed = torch.rand(len(latents), 1, 1, device=latents.device) < self.skip
        return found._replace(latents=torch.where(passed, latents, found.latents))

    def _with_noise(self, latents: Tensor) -> Tensor:
        deviation = (self.power - self.mean.square()).clamp(min=0).sqrt()
        noise = torch.randn_like(latents) * (deviation * self.spread)[:, None]
        replaced = torch.rand(len(latents), 1, latents.shape[2], device=latents.device) < self.replace
        return torch.where(replaced, noise, latents)

    @torch.no_grad()
    def _follow(self, latents: Tensor) -> None:
        """The running first and second moments of each channel: of all batches at first, then of the last hundred or so."""
        rows = latents.transpose(1, 2).flatten(0, 1).to(self.mean.dtype)
        if not len(rows):
            return
        share = max(0.01, 1 / (int(self.seen) + 1))
        first, second = self.average(torch.cat([rows, rows.square()], dim=1)).chunk(2)
        self.mean.lerp_(first, share)
        self.power.lerp_(second, share)
        self.seen.add_(1)
