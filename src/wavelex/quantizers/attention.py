"""Quantization by attention: latents ask, keys answer, and what a code stands for is a value apart from its key (CODA)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import ROWS_AT_ONCE, Book, VectorQuantizer


class AttentionBook(Book):
    """A table seen through two linear maps: keys, by which it is asked, and values, for which its codes stand.

    The loss adds to the two distances what a soft choice would give: its values in place of the chosen one, so that queries and keys
    learn; and `decided` times the mean entropy of that choice less the entropy of its mean.
    """

    fitted: Tensor

    def __init__(self, size: int, dim: int, key_dim: int, sharpness: float, codebook_weight: float, decided: float) -> None:
        super().__init__(size, dim, codebook_weight, commitment=1.0)
        self.sharpness, self.decided = sharpness, decided
        self.table = nn.Parameter(torch.randn(size, dim) * dim**-0.5)
        self.query, self.key = nn.Linear(dim, key_dim, bias=False), nn.Linear(dim, key_dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        # Keys begin as queries do, values as the table: what is asked for is what is near in direction.
        self.key.load_state_dict(self.query.state_dict())
        nn.init.eye_(self.value.weight)
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def vectors(self) -> Tensor:
        found: Tensor = self.value(self.table)
        return found

    def logits(self, rows: Tensor) -> Tensor:
        """Rows (n, dim) to (n, size)."""
        queries, keys = _of_unit_power(self.query(rows)), _of_unit_power(self.key(self.table))
        return torch.matmul(queries, keys.T) * (self.sharpness / queries.shape[1])

    def choose(self, rows: Tensor, vectors: Tensor) -> Tensor:
        """The code of the largest logit."""
        return torch.cat([self.logits(piece).argmax(1) for piece in torch.split(rows, ROWS_AT_ONCE)])

    def loss(self, rows: Tensor, chosen: Tensor) -> Tensor:
        logits = self.logits(rows.detach())
        p = logits.softmax(1)
        soft = p @ self.vectors.detach()
        # The value is the chosen vector's; the gradient is that of the soft choice as well.
        passed = chosen + soft - soft.detach()
        distance = (rows.detach() - passed).square().mean()
        mean = p.mean(0)
        entropies = (logits.logsumexp(1) - (p * logits).sum(1)).mean() + (mean * mean.clamp(min=1e-12).log()).sum()
        return distance + super().loss(rows, chosen) + self.decided * entropies

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, rows: Tensor) -> None:
        """Take rows for the table, each moved a little, so that no two are the same."""
        drawn = rows[torch.randint(len(rows), (self.size,), device=rows.device)]
        self.table.copy_(drawn + 0.1 * rows.std().clamp(min=1e-3) * torch.randn_like(drawn))
        self.fitted.fill_(True)


class AttentionVQ(VectorQuantizer):
    """Residual codebooks that are asked by attention, to make a finished continuous autoencoder discrete.

    Liu et al., "CODA: repurposing continuous VAEs for discrete tokenization" (arXiv 2503.17760). The autoencoder stays as
    it is while this learns to give its latents back. The paper's layers code the latents at rising resolutions; here all code every
    frame. The gradient passes straight through.
    """

    def __init__(
        self,
        dim: int,
        codebooks: int = 4,
        size: int = 16_384,
        key_dim: int | None = None,
        sharpness: float = 10.0,
        codebook_weight: float = 0.05,
        decided: float = 0.01,
    ) -> None:
        books = [AttentionBook(size, dim, key_dim or dim, sharpness, codebook_weight, decided) for _ in range(codebooks)]
        super().__init__(dim, books)


def _of_unit_power(x: Tensor) -> Tensor:
    """Rows (n, dim) with a mean square of one."""
    return x * (x.square().mean(1, keepdim=True) + 1e-6).rsqrt()
