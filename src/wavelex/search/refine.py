"""Analysis by synthesis: codes chosen by what the decoder makes of them, with gradients through quantizer and decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelex.decoders.base import Condition, Decoder
from wavelex.objectives.reconstruction import Reconstruction
from wavelex.quantizers.base import Quantizer
from wavelex.search.base import FrameSearch, no_codes
from wavelex.search.effort import Effort
from wavelex.search.nearest import encode_with

RATE = 0.07
"""First step of a refinement, in standard deviations of each latent dimension."""
HALVED_AFTER = 20
"""Iterations after which the step is half of that; it anneals the choice between codes without an end fixed in advance,
so a run of more iterations begins with those of a shorter one."""
BETAS = (0.5, 0.9)
LOOP_BEAMS = (2,)
STRETCH_SECONDS = 8.0
"""Of a signal that is settled together."""
AHEAD_SECONDS = 0.5
"""After it, refined along so that the last frames are judged by all they do, and settled with the next."""
BEHIND_SECONDS = 1.2
"""Settled before it, which the decoder is given: all that reaches into the stretch."""
Judge = Callable[[Tensor], Tensor]
Encode = Callable[[Tensor], Tensor]


class Refiner:
    """Improves the codes of one stretch of a signal at a time."""

    def __init__(self, quantizer: Quantizer, decoder: Decoder, objective: Reconstruction, search: FrameSearch, effort: Effort) -> None:
        """`search` gives the codes that are kept; the gradients are taken with nearer and cheaper ones."""
        self.quantizer, self.decoder, self.objective, self.search, self.effort = quantizer, decoder, objective, search, effort

    def refine(self, samples: Tensor, latents: Tensor, past: Tensor, counts: Tensor | None = None) -> Tensor:
        """Codes (streams, codebooks, frames) for latents (streams, dim, frames) of samples (streams, frames * hop_length).

        `counts` (streams, frames) are the codebooks of each frame; all have all unless given.

        `past` (streams, dim, before) are the dequantized latents of the frames before, which are settled. The codes are
        those that the search finds for the latents, or better ones by the objective.
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

        def encode(target: Tensor) -> Tensor:
            return encode_with(self.quantizer, target, None if counts is None else counts[None], self.search.codebooks, LOOP_BEAMS)

        def choose(target: Tensor) -> Tensor:
            self.search.begin()
            return self.search.choose(target, None if counts is None else counts[None])

        # What is too loud for the objective has no finite loss, and keeps the codes that need none.
        best = _Best(choose(latents), float("inf"))
        best.offer(best.codes, float(judge(self.quantizer.decode(best.codes))))

        def settle(target: Tensor) -> None:
            codes = choose(target)
            best.offer(codes, float(judge(self.quantizer.decode(codes))))

        # A dimension that hardly moves in this stretch may still be moved.
        deviation = latents.std(dim=2, keepdim=True, correction=0)
        scale = torch.maximum(deviation, 0.1 * deviation.mean())
        gradient = self._gradient(judge, encode(latents)) * scale
        direction = gradient / gradient.square().mean().sqrt().clamp(min=1e-12) * scale
        moved = [latents, *(latents - step * direction for step in self.effort.steps)]
        target = min(moved, key=lambda moved: float(judge(self.quantizer.decode(encode(moved)))))
        if target is not latents:
            settle(target)
        self._descend(judge, encode, target, scale, settle)
        return best.codes

    def _descend(self, judge: Judge, encode: Encode, target: Tensor, scale: Tensor, settle: Callable[[Tensor], None]) -> None:
        mean, power = torch.zeros_like(target), torch.zeros_like(target)
        for iteration in range(max(self.effort.rounds, default=0)):
            gradient = self._gradient(judge, encode(target)) * scale
            mean = BETAS[0] * mean + (1 - BETAS[0]) * gradient
            power = BETAS[1] * power + (1 - BETAS[1]) * gradient.square()
            corrected = mean / (1 - BETAS[0] ** (iteration + 1))
            rooted = (power / (1 - BETAS[1] ** (iteration + 1))).sqrt() + 1e-12
            target = target - RATE / (1 + iteration / HALVED_AFTER) * scale * corrected / rooted
            if iteration + 1 in self.effort.rounds:
                settle(target)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _gradient(self, judge: Judge, codes: Tensor) -> Tensor:
        """Of the loss of the quantized latents, taken as that of the latents themselves (straight through)."""
        held = self.quantizer.decode(codes).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(judge(held), held)
        return gradient

    def _synthesize(self, latents: Tensor) -> Tensor:
        ahead = 0 if self.decoder.pads else -(-self.decoder.lookahead // self.decoder.hop_length)
        state = self.decoder.initial_state(len(latents), latents, Condition(codebooks=self.search.codebooks))
        samples, _ = self.decoder.step(torch.nn.functional.pad(latents, (0, ahead)), state, final=True)
        return samples[:, 0, : latents.shape[2] * self.decoder.hop_length]


@dataclass
class _Best:
    codes: Tensor
    loss: float

    def offer(self, codes: Tensor, loss: float) -> None:
        """Keep the codes if they are better."""
        if loss < self.loss:
            self.codes, self.loss = codes, loss


class RefineSearch:
    """Settles the codes of a signal stretch by stretch; waits for a stretch and what follows it. See `CodeSearch`."""

    def __init__(self, refiner: Refiner, frame_rate: float, counts: Tensor | None = None) -> None:
        """`counts` (streams, frames of the whole signal) are the codebooks of each frame, where these differ."""
        self.codebooks = refiner.search.codebooks
        self._refiner, self._counts, self._hop = refiner, counts, refiner.decoder.hop_length
        self._stretch, self._ahead, self._behind = (
            max(1, round(seconds * frame_rate)) for seconds in (STRETCH_SECONDS, AHEAD_SECONDS, BEHIND_SECONDS)
        )
        self.begin()

    def begin(self) -> None:
        """Forget the signal so far."""
        self._held: tuple[Tensor, Tensor] | None = None
        self._past: Tensor | None = None
        self._settled = 0

    def push(self, latents: Tensor, samples: Tensor) -> Tensor:
        """See `CodeSearch`."""
        if self._held:
            latents, samples = torch.cat([self._held[0], latents], dim=2), torch.cat([self._held[1], samples], dim=1)
        self._held = latents, samples
        whole = max(0, (latents.shape[2] - self._ahead) // self._stretch)
        return self._joined([self._settle(self._stretch, self._stretch + self._ahead) for _ in range(whole)])

    def flush(self) -> Tensor:
        """See `CodeSearch`."""
        if not self._held:
            return no_codes(1, self.codebooks)
        latents, samples = self._held
        left = latents.shape[2]
        self._held = latents, torch.nn.functional.pad(samples, (0, left * self._hop - samples.shape[1]))
        settled = []
        while left > 0:
            count = left if left <= self._stretch + self._ahead else self._stretch
            settled.append(self._settle(count, min(left, count + self._ahead)))
            left -= count
        codes = self._joined(settled)
        self.begin()
        return codes

    @torch.inference_mode(False)
    @torch.no_grad()
    def _settle(self, count: int, seen: int) -> Tensor:
        assert self._held, "there is something to settle"
        latents, samples = self._held
        past = latents[:, :, :0] if self._past is None else self._past
        counts = None if self._counts is None else self._counts[:, self._settled : self._settled + seen]
        found = self._refiner.refine(samples[:, : seen * self._hop].clone(), latents[:, :, :seen].clone(), past.clone(), counts)
        codes = found[:, :, :count]
        self._past = torch.cat([past.clone(), self._refiner.quantizer.decode(codes)], dim=2)[:, :, -self._behind :]
        self._held = latents[:, :, count:], samples[:, count * self._hop :]
        self._settled += count
        return codes

    def _joined(self, settled: list[Tensor]) -> Tensor:
        assert self._held, "there has been a signal"
        return torch.cat([no_codes(len(self._held[0]), self.codebooks).to(self._held[0].device), *settled], dim=2)
