"""Beam search over residual codebooks: the same codes' format, a nearer sum of vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FRAMES_AT_ONCE = 256
"""Bounds the memory of the distances, frames x beam x size."""
BRANCHES = 4
"""Codes that each hypothesis may go on with; more find nothing that a wider beam does not."""


def beam_search(frames: Tensor, codebooks: Sequence[Tensor], widths: Sequence[int]) -> Tensor:
    """Codes (n, codebooks) of frames (n, dim): for each frame the best found with any of the beam `widths`.

    A beam of 1 is the greedy choice. With the narrower widths among them, no frame's squared error is ever larger than with
    those alone (a wider beam by itself does not promise that). After Kim and Skoglund, "Neural speech and audio coding"
    (IEEE SPM 2024), section on test-time search over residual codebooks.
    """
    if not len(frames):
        return torch.zeros(0, len(codebooks), dtype=torch.long, device=frames.device)
    return torch.cat([_search(piece, codebooks, widths) for piece in torch.split(frames, FRAMES_AT_ONCE)])


def _search(frames: Tensor, codebooks: Sequence[Tensor], widths: Sequence[int]) -> Tensor:
    found = [_one_beam(frames, codebooks, width) for width in widths]
    errors = torch.stack([error for _, error in found])
    best = errors.argmin(dim=0)
    codes = torch.stack([codes for codes, _ in found])
    return codes[best, torch.arange(len(frames), device=frames.device)]


def _one_beam(frames: Tensor, codebooks: Sequence[Tensor], width: int) -> tuple[Tensor, Tensor]:
    """Codes (n, codebooks) and squared errors (n,)."""
    count, dim = frames.shape
    residual = frames[:, None]
    codes = torch.zeros(count, 1, 0, dtype=torch.long, device=frames.device)
    for index, vectors in enumerate(codebooks):
        last = index == len(codebooks) - 1
        distances = torch.addmm(vectors.square().sum(1), residual.reshape(-1, dim), vectors.T, alpha=-2).view(
            count, residual.shape[1], len(vectors)
        )
        branches = min(width, len(vectors)) if residual.shape[1] == 1 else min(width, BRANCHES, len(vectors))
        lowest, picks = _lowest(distances, 1 if last else branches)
        totals = (lowest + residual.square().sum(2, keepdim=True)).flatten(1)
        kept = totals.topk(1 if last else min(width, totals.shape[1]), largest=False).indices
        parents, picks = kept // lowest.shape[2], picks.flatten(1).gather(1, kept)
        residual = residual.gather(1, parents[..., None].expand(-1, -1, dim)) - vectors[picks]
        codes = torch.cat([codes.gather(1, parents[..., None].expand(-1, -1, index)), picks[..., None]], dim=2)
    return codes[:, 0], residual[:, 0].square().sum(1)


def _lowest(distances: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` lowest of the last dimension, lowest first, and where they are. Overwrites `distances`."""
    if distances.device.type != "cpu" or count > 2 * BRANCHES:
        return distances.topk(count, largest=False)
    # numpy's search is vectorised: a few of them take a tenth of the time of a partial sort.
    table = distances.numpy()
    picks, values = [], []
    for _ in range(count):
        pick = table.argmin(axis=2)[..., None]
        picks.append(torch.from_numpy(pick))
        values.append(distances.gather(2, picks[-1]))
        distances.scatter_(2, picks[-1], float("inf"))
    return torch.cat(values, dim=2), torch.cat(picks, dim=2)
