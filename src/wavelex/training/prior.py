"""Fitting token priors to the codes of recordings: the classes of the context tables, and the network that predicts codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wavelex.quantizers.codebook import Codebook
from wavelex.tokens.entropy.blocks import LANE_FRAMES
from wavelex.tokens.entropy.priors.context import CLASSES
from wavelex.tokens.entropy.priors.inputs import all_contexts, clipped, partial_sums
from wavelex.tokens.entropy.priors.network import PriorNetwork
from wavelex.training.precision import uses_bfloat16
from wavelex.training.prefixes import prefix_chances


@dataclass(frozen=True)
class PriorSettings:
    """How a prior is trained."""

    steps: int = 6000
    batch: int = 48
    hidden: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    prefix_odds: tuple[float, ...] = (0.12, 0.12, 0.04, 0.14, 0.04, 0.04, 0.04, 0.46)
    """Chance that a clip comes with 1, 2, ... codebooks; see `prefix_chances` for a codec with another number of them."""
    varied: float = 0.2
    """Share of clips whose number of codebooks changes from frame to frame."""
    seed: int = 0
    precision: str = "auto"
    """See `wavelex.training.precision`."""


def classes_of(vectors: Tensor) -> np.ndarray:
    """Classes (codebooks, size) of code vectors (codebooks, size, dim) for the context tables, by k-means."""
    torch.manual_seed(0)
    found = []
    for table in vectors:
        centres = Codebook(CLASSES, table.shape[1])
        centres.start(table)
        found.append(centres.nearest(table).numpy())
    return np.stack(found)


class PriorTrainer:
    """Steps a network over codes (clips, codebooks, frames); all randomness of a step comes from (seed, step)."""

    def __init__(self, codes: np.ndarray, vectors: np.ndarray, settings: PriorSettings, network: PriorNetwork | None = None) -> None:
        """`vectors` are whole (codebooks, size, dim); `network` continues an earlier one."""
        self.codes, self.vectors, self.settings = codes, vectors, settings
        torch.manual_seed(settings.seed)
        self.network = network or PriorNetwork(vectors.shape[0], vectors.shape[1], vectors.shape[2], settings.hidden)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, (0.9, 0.98), weight_decay=settings.weight_decay
        )
        self.bfloat16 = uses_bfloat16(settings.precision, torch.device("cpu"))
        self.step_count = 0

    def step(self) -> float:
        """One update; gives the mean bits a code."""
        settings = self.settings
        factor = 0.5 * (1 + math.cos(math.pi * self.step_count / settings.steps)) * min(1.0, (self.step_count + 1) / 100)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * max(factor, 0.01)
        rng = np.random.default_rng((settings.seed, self.step_count))
        loss = mean_nats(self.network, self._batch(rng), self.vectors, self.bfloat16)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step_count += 1
        return float(loss.detach()) / math.log(2)

    def _batch(self, rng: np.random.Generator) -> np.ndarray:
        settings = self.settings
        codebooks = self.codes.shape[1]
        odds = prefix_chances(settings.prefix_odds, codebooks)
        lanes = np.zeros((settings.batch, codebooks, LANE_FRAMES), np.int64)
        for lane in lanes:
            start = int(rng.integers(0, self.codes.shape[2] - LANE_FRAMES + 1))
            lane[:] = self.codes[int(rng.integers(len(self.codes))), :, start : start + LANE_FRAMES]
            counts = np.full(LANE_FRAMES, 1 + rng.choice(codebooks, p=odds))
            if rng.random() < settings.varied:
                counts = np.repeat(1 + rng.choice(codebooks, LANE_FRAMES, p=odds), rng.integers(1, 6))[:LANE_FRAMES]
            lane[np.arange(codebooks)[:, None] >= counts] = -1
        return lanes


def mean_nats(network: PriorNetwork, lanes: np.ndarray, vectors: np.ndarray, bfloat16: bool) -> Tensor:
    """Mean over the codes of lanes (lanes, codebooks, frames) that are there; -1 where a frame has fewer."""
    sums = partial_sums(lanes.transpose(1, 0, 2), vectors)
    contexts = all_contexts(sums[-1], (lanes >= 0).sum(axis=1), lanes.shape[1])
    partial = torch.from_numpy(clipped(sums[:-1])).flatten(1, 2).float()
    codes = torch.from_numpy(lanes.transpose(1, 0, 2)).flatten(1)
    total = torch.zeros(())
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        for logits, targets in zip(network(torch.from_numpy(contexts).flatten(0, 1).float(), partial), codes, strict=True):
            there = targets >= 0
            if there.any():
                total = total + nn.functional.cross_entropy(logits[there], targets[there], reduction="sum")
    return total / int((codes >= 0).sum())
