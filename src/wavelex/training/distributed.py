"""One run in several processes, each with clips of its own: what they add up, average and agree on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby

import torch
import torch.distributed as dist
from torch import Tensor, nn

from wavelex.errors import WavelexError
from wavelex.quantizers.binary import Binary
from wavelex.quantizers.books import Book
from wavelex.quantizers.codebook import Codebook, tally
from wavelex.quantizers.noise import Perturbed

PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the first one evaluates and writes files while the others wait."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, of which this is number `rank` of `world`. All must call the same methods in the same order."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where tensors must lie to travel."""

    @property
    def first(self) -> bool:
        """Whether this is the one that evaluates and writes files."""
        return self.rank == 0

    def add(self, *tensors: Tensor) -> None:
        """Make each the sum of those of all processes, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def same(self, tensors: Iterable[Tensor]) -> None:
        """Make each that of the first process, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def all(self, value: bool) -> bool:
        """Whether it is true in every process."""
        return not self.any(not value)

    def any(self, value: bool) -> bool:
        """Whether it is true in some process."""
        if self.world == 1:
            return value
        flag = torch.tensor(float(value), device=self.device)
        self.add(flag)
        return bool(flag > 0)

    def wait(self) -> None:
        """Until all are here."""
        self.any(False)

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make gradients the mean of those of all processes; one that is missing is zero, unless it is missing everywhere."""
        if self.world == 1:
            return
        parameters = list(parameters)
        there = torch.tensor([float(p.grad is not None) for p in parameters], device=self.device)
        self.add(there)
        moved = [p for p, count in zip(parameters, there.tolist(), strict=True) if count]
        for parameter in moved:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        # One message for all of a type is many times faster than one for each.
        for _, same in groupby(sorted(moved, key=lambda p: str(p.dtype)), key=lambda p: p.dtype):
            gradients = [p.grad for p in same if p.grad is not None]
            flat = torch.cat([gradient.flatten() for gradient in gradients])
            self.add(flat)
            flat /= self.world
            for gradient, mean in zip(gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True):
                gradient.copy_(mean.view_as(gradient))

    def share_codebooks(self, model: nn.Module) -> None:
        """Let quantizers learn from the inputs of all processes as if they were one batch."""
        if self.world > 1:
            for module in model.modules():
                if isinstance(module, Codebook):
                    module.tally, module.draw = self._tally, self._draw
                elif isinstance(module, Book):
                    module.tally = self._tally
                elif isinstance(module, (Binary, Perturbed)):
                    module.average = self._average

    def _tally(self, x: Tensor, indices: Tensor, size: int) -> tuple[Tensor, Tensor]:
        counts, sums = tally(x, indices, size)
        self.add(counts, sums)
        return counts, sums

    def _average(self, rows: Tensor) -> Tensor:
        """The mean of the rows of all processes, with the gradient to this one's that gives that of the mean once it is averaged."""
        count = torch.tensor(float(len(rows)), device=rows.device)
        total = rows.detach().sum(0)
        self.add(count, total)
        mean: Tensor = total / count.clamp(min=1)
        if not rows.requires_grad:
            # The same bits in all processes, which the sum below is not.
            return mean
        mine = rows.sum(0) * (self.world / count.clamp(min=1))
        return mine + (mean - mine).detach()

    def _draw(self, x: Tensor, count: int) -> Tensor:
        """Random rows of the inputs of all processes one after the other, the same for all."""
        sizes = torch.zeros(self.world, dtype=torch.long, device=x.device)
        sizes[self.rank] = len(x)
        self.add(sizes)
        ends = sizes.cumsum(0)
        chosen = torch.randint(int(ends[-1]), (count,), device=x.device)
        self.same([chosen])
        mine = chosen - (ends[self.rank] - len(x))
        here = (mine >= 0) & (mine < len(x))
        rows = x.new_zeros(count, x.shape[1])
        rows[here] = x[mine[here]]
        self.add(rows)
        return rows


ALONE = Ranks()


@contextmanager
def launched(device: str) -> Iterator[tuple[Ranks, torch.device]]:
    """The processes that a launcher such as torchrun started, and this one's device; one process where none did.

    Raises WavelexError for a device that cannot be used.
    """
    try:
        alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
        if not alone:
            for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
                os.environ[name]
    except (KeyError, ValueError) as error:
        raise WavelexError(
            f"WORLD_SIZE says that this is one of several processes, but not how ({error}); start them by torchrun"
        ) from error
    try:
        own = torch.device(device) if alone or device != "cuda" else torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.zeros(1, device=own)
    except (RuntimeError, AssertionError) as error:
        raise WavelexError(f"--device {device}: cannot be used here ({str(error).splitlines()[0]})") from error
    if alone:
        yield ALONE, own
        return
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), own), own
    finally:
        dist.destroy_process_group()
