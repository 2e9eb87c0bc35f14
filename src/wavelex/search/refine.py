"""Analysis by synthesis: codes chosen by what the decoder makes of them, with gradients through quantizer and decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from wavelex.decoders.base import Decoder
from wavelex.objectives.reconstruction import Reconstruction
from wavelex.quantizers.base import Quantizer
from wavelex.search.effort import Effort
from wavelex.search.varied import encode_varied

RATE = 0.07
"""First step of a refinement, in standard deviations of each latent dimension."""
HALVED_AFTER = 20
"""Iterations after which the step is half of that; it anneals the choice between codes without an end fixed in advance,
so a run of more iterations begins with those of a shorter one."""
BETAS = (0.5, 0.9)
LOOP_BEAMS = (2,)
Judge = Callable[[Tensor], Tensor]
Encode = Callable[[Tensor, Sequence[int]], Tensor]


class Refiner:
    """Improves the codes of one stretch of a signal at a time."""

    def __init__(self, quantizer: Quantizer, decoder: Decoder, objective: Reconstruction, codebooks: int, effort: Effort) -> None:
        self.quantizer, self.decoder, self.objective, self.codebooks, self.effort = quantizer, decoder, objective, codebooks, effort

    def refine(self, samples: Tensor, latents: Tensor, past: Tensor, counts: Tensor | None = None) -> Tensor:
        """Codes (streams, codebooks, frames) for latents (streams, dim, frames) of samples (streams, frames * hop_length).

        `counts` (streams, frames) are the codebooks of each frame; all have all unless given.

        `past` (streams, dim, before) are the dequantized latents of the frames before, which are settled. The codes are
        those of the widest beam, or better ones by the objective.
        """
        return torch.cat(
            [
                self._one(samples[i : i + 1], latents[i : i + 1], past[i : i + 1], None if counts is None else counts[i])
                for i in range(len(samples))
            ]
        )

    def _one(self, samples: Tensor, latents: Tensor, past: Tensor, counts: Tensor | None) -> Tensor:
        theirs = self.objective.spectra(samples)

        def judge(chosen: Tensor) -> Tensor:
            heard = self._synthesize(torch.cat([past, chosen], dim=2))[:, -samples.shape[1] :]
            losses: dict[str, Tensor] = self.objective(self.objective.spectra(heard), theirs)
            return torch.stack(list(losses.values())).sum()

        def encode(target: Tensor, beams: Sequence[int]) -> Tensor:
            if counts is None:
                return self.quantizer.encode(target, self.codebooks, beams)
            return encode_varied(self.quantizer, target, counts, self.codebooks, beams)

        codes = encode(latents, self.effort.beams)
        best = _Best(codes, float("inf"))
        target = latents.clone()
        # A dimension that hardly moves in this stretch may still be moved.
        deviation = latents.std(dim=2, keepdim=True, correction=0)
        scale = torch.maximum(deviation, 0.1 * deviation.mean())
        gradient = self._gradient(judge, codes, best) * scale
        direction = gradient / gradient.square().mean().sqrt().clamp(min=1e-12) * scale
        for step in self.effort.steps:
            moved = latents - step * direction
            codes = encode(moved, LOOP_BEAMS)
            if best.offer(codes, float(judge(self.quantizer.decode(codes)))):
                target = moved
        return self._descend(judge, encode, target, scale, best)

    def _descend(self, judge: Judge, encode: Encode, target: Tensor, scale: Tensor, best: _Best) -> Tensor:
        mean, power = torch.zeros_like(target), torch.zeros_like(target)
        for iteration in range(self.effort.iterations):
            codes = encode(target, LOOP_BEAMS)
            gradient = self._gradient(judge, codes, best) * scale
            mean = BETAS[0] * mean + (1 - BETAS[0]) * gradient
            power = BETAS[1] * power + (1 - BETAS[1]) * gradient.square()
            corrected = mean / (1 - BETAS[0] ** (iteration + 1))
            rooted = (power / (1 - BETAS[1] ** (iteration + 1))).sqrt() + 1e-12
            target = target - RATE / (1 + iteration / HALVED_AFTER) * scale * corrected / rooted
        if self.effort.iterations:
            codes = encode(target, LOOP_BEAMS)
            best.offer(codes, float(judge(self.quantizer.decode(codes))))
        return best.codes

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _gradient(self, judge: Judge, codes: Tensor, best: _Best) -> Tensor:
        """Of the loss of the quantized latents, taken as that of the latents themselves (straight through)."""
        held = self.quantizer.decode(codes).detach().requires_grad_(True)
        loss = judge(held)
        best.offer(codes, float(loss.detach()))
        (gradient,) = torch.autograd.grad(loss, held)
        return gradient

    def _synthesize(self, latents: Tensor) -> Tensor:
        ahead = -(-self.decoder.lookahead // self.decoder.hop_length)
        samples: Tensor = self.decoder(torch.nn.functional.pad(latents, (0, ahead)))
        return samples[:, 0, : latents.shape[2] * self.decoder.hop_length]


class _Best:
    def __init__(self, codes: Tensor, loss: float) -> None:
        self.codes, self.loss = codes, loss

    def offer(self, codes: Tensor, loss: float) -> bool:
        """Keep the codes if they are better; says whether they are."""
        if loss >= self.loss:
            return False
        self.codes, self.loss = codes, loss
        return True
