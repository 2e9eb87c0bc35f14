"""How many codebooks each frame had best have, for a number of bits or a quality."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wavelex.quantizers.base import Quantizer
from wavelex.tokens.entropy.blocks import COUNT_GROUP

LOUDNESS_POWER = 0.1
"""By which a frame's energy weighs its error; measured on held-out speech (docs/training-notes.md)."""
_TURNS = 4
CLOSE = 0.01
"""Nearness to the bits wanted with which the allocation is content."""


def prefix_errors(quantizer: Quantizer, latents: Tensor, codes: Tensor) -> Tensor:
    """Squared errors (streams, codebooks, frames) of latents (streams, dim, frames) when only the first 1, 2, ... codes are used."""
    errors = [(latents - quantizer.decode(codes[:, : count + 1])).square().sum(1) for count in range(codes.shape[1])]
    return torch.stack(errors, dim=1)


def loudness_weights(samples: Tensor, frames: int, hop_length: int) -> Tensor:
    """How much errors count in each frame (streams, frames) of samples (streams, T): as the energy there and just before."""
    padded = torch.nn.functional.pad(samples, (0, frames * hop_length - samples.shape[1]))
    energy = padded.view(len(samples), frames, hop_length).square().mean(2) + 1e-9
    recent = torch.maximum(energy, torch.nn.functional.pad(energy, (1, 0))[:, :-1])
    return (recent / recent.amax().clamp(min=1e-9)) ** LOUDNESS_POWER


def allocate(errors: Tensor, mean_codebooks: float) -> Tensor:
    """Numbers of codebooks (streams, frames) from 1 to all with the least weighted error at that mean.

    `errors` (streams, codebooks, frames) fall with the codebooks; every group of frames gets the point of its curve where one more
    codebook gains less than a slope common to all (Shoham and Gersho 1988).
    """
    return _steepest(errors, lambda counts: float(counts.double().mean()) <= mean_codebooks)[1]


def allocate_error(errors: Tensor, codebooks: float) -> Tensor:
    """`allocate` with the fewest codebooks that leave no more error than so many in every frame."""
    fixed = errors.double().sum((0, 2)).clamp(min=1e-12).log().cpu().numpy()
    limit = float(np.exp(np.interp(codebooks, np.arange(1, len(fixed) + 1), fixed))) * (1 + 1e-9)

    def too_much(counts: Tensor) -> bool:
        return float(errors.gather(1, counts[:, None] - 1).double().sum()) > limit

    return _steepest(errors, too_much)[0]


def _steepest(errors: Tensor, beyond: Callable[[Tensor], bool]) -> tuple[Tensor, Tensor]:
    """The allocations at the steepest slope that is not `beyond`, and at the one just above it; steeper ones have fewer codebooks."""
    streams, books, frames = errors.shape
    grouped = torch.nn.functional.pad(errors.double(), (0, -frames % COUNT_GROUP)).view(streams, books, -1, COUNT_GROUP).sum(3)
    cost = torch.arange(1, books + 1, dtype=torch.double, device=errors.device)[:, None]

    def counts(slope: float) -> Tensor:
        return ((grouped + slope * cost).argmin(dim=1) + 1).repeat_interleave(COUNT_GROUP, dim=1)[:, :frames]

    low, high = 1e-12, 1e12
    for _ in range(100):
        middle = (low * high) ** 0.5
        if beyond(counts(middle)):
            high = middle
        else:
            low = middle
    return counts(low), counts(high)


def allocate_bits(errors: Tensor, codes: Tensor, wanted: float, measure: Callable[[np.ndarray], float]) -> Tensor:
    """`allocate` so that `measure` (codes (streams, codebooks, frames) to bits) gives `wanted` bits, as nearly as it can be had."""
    books, cells = codes.shape[1], codes.shape[0] * codes.shape[2]
    mean, low, high = min(books, max(1.0, wanted / (10.0 * max(1, cells)))), 1.0, float(books)
    best = torch.zeros_like(errors[:, 0])
    for _ in range(_TURNS):
        last, best = best, allocate(errors, mean)
        if torch.equal(last, best):
            break
        kept = torch.where(torch.arange(books, device=codes.device)[None, :, None] < best[:, None], codes, -1)
        bits = measure(kept.cpu().numpy())
        if abs(bits - wanted) <= CLOSE * wanted:
            break
        low, high = (low, mean) if bits > wanted else (mean, high)
        mean = min(high, max(low, mean * wanted / max(bits, 1.0)))
    return best
