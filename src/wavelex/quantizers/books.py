"""Codebooks whose vectors are computed, learned by gradient or fixed; residual, or side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.quantizers.beam import beam_search
from wavelex.quantizers.codebook import nearest, tally
from wavelex.quantizers.gradients import GRADIENTS, with_gradient

ROWS_AT_ONCE = 2048
VECTORS_AT_ONCE = 8192
"""Bound the memory of the distances to 64 MiB, however large a codebook is."""


class Book(nn.Module):
    """`size` vectors of `dim`. A kind says what they are (`vectors`), and may have a `start`.

    `codebook_weight` is of the distance of chosen vectors to the latents they stand for, `commitment` of the same distance for the
    encoder (van den Oord et al., arXiv 1711.00937, equation 3).
    """

    usage: Tensor

    def __init__(self, size: int, dim: int, codebook_weight: float = 1.0, commitment: float = 0.25, decay: float = 0.99) -> None:
        super().__init__()
        self.size, self.dim, self.decay = size, dim, decay
        self.codebook_weight, self.commitment = codebook_weight, commitment
        self.register_buffer("usage", torch.ones(size))
        # As in `Codebook`: inputs that lie elsewhere are counted by replacing it.
        self.tally = tally

    @property
    def vectors(self) -> Tensor:
        """(size, dim), with gradients to what they are made of."""
        raise NotImplementedError

    @property
    def started(self) -> bool:
        """Whether the vectors hold something learned."""
        return True

    def start(self, rows: Tensor) -> None:
        """Place the vectors on rows (n, dim)."""

    def choose(self, rows: Tensor, vectors: Tensor) -> Tensor:
        """Index of one of its `vectors` for each of rows (n, dim) -> (n,): the Euclidean-nearest."""
        return nearest_of_many(rows, vectors)

    def lookup(self, indices: Tensor) -> Tensor:
        """Vectors of the indices, any shape (...) -> (..., dim)."""
        return nn.functional.embedding(indices, self.vectors)

    def loss(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """Of rows (n, dim) and the vectors chosen for them."""
        distance = (rows.detach() - chosen).square().mean() * self.codebook_weight
        return distance + (rows - chosen.detach()).square().mean() * self.commitment

    @torch.no_grad()
    def count(self, rows: Tensor, indices: Tensor) -> None:
        """Follow how often each vector is chosen; a book that no item used stays as it is."""
        counts, _ = self.tally(rows, indices, self.size)
        self.usage.lerp_(counts, (1 - self.decay) * (counts.sum() > 0).to(counts.dtype))


class VectorQuantizer(Quantizer):
    """Latents (batch, dim, frames) as a sum of vectors: each book codes what the ones before it left.

    The channels are split into `groups` equal shares, which the books code in turn; with as many groups as books these lie side by
    side. `gradient` to the latents is one of GRADIENTS, applied once to the sum; the losses of the books are averaged. What the books
    left goes on without a gradient to their vectors, so that each learns from its own error.
    """

    additive = True

    def __init__(self, dim: int, books: Sequence[Book], gradient: str = "straight", groups: int = 1) -> None:
        super().__init__()
        if gradient not in GRADIENTS:
            raise ValueError(f"gradient {gradient!r}; choose from {', '.join(GRADIENTS)}")
        if len(books) % groups or any(book.dim * groups != dim for book in books):
            raise ValueError(f"codebooks of {[book.dim for book in books]} channels do not code {groups} shares of {dim}")
        self.dim, self.gradient, self.groups = dim, gradient, groups
        self.layers = nn.ModuleList(books)

    @property
    def books(self) -> list[Book]:
        return [layer for layer in self.layers if isinstance(layer, Book)]

    @property
    def codebook_sizes(self) -> list[int]:
        return [book.size for book in self.books]

    def entering(self, latents: Tensor) -> Tensor:
        """What is coded of latents: themselves, in single precision at least."""
        return latents.to(torch.promote_types(latents.dtype, torch.float32))

    def leaving(self, total: Tensor, there: Tensor) -> Tensor:
        """Latents of the sum of vectors (batch, dim, frames); `there` (batch, frames) marks the frames that have a first code."""
        return total

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        counts = self.counts(num_codebooks, latents)
        learning = self.training and torch.is_grad_enabled()
        with torch.autocast(latents.device.type, enabled=False):
            entered = residual = self.entering(latents)
            total = torch.zeros_like(entered)
            codes: list[Tensor] = []
            losses: list[Tensor] = []
            chosen_by = [(residual.new_zeros(0, book.dim), counts.new_zeros(0)) for book in self.books]
            for index, (book, channels) in enumerate(self._channels()[: int(counts.max())]):
                active = counts > index
                target = residual[:, channels]
                vectors = book.vectors
                indices = _chosen(book, target.detach(), vectors.detach())
                chosen = nn.functional.embedding(indices, vectors)
                losses.append(book.loss(rows_of(target[active]), chosen[active].flatten(0, 1)))
                chosen_by[index] = rows_of(target.detach()[active]), indices[active].flatten()
                added = self._placed(chosen.detach().transpose(1, 2) * active[:, None, None], channels)
                residual, total = residual - added, total + added
                codes.append(torch.where(active[:, None], indices, -1))
            if learning:
                # All books, so that processes that share a batch count the same ones, whatever their items use.
                for book, (rows, indices) in zip(self.books, chosen_by, strict=True):
                    book.count(rows, indices)
            found = torch.stack(codes, dim=1)
            left = self.leaving(with_gradient(entered, total, self.gradient), found[:, 0] >= 0)
            return Quantized(left, found, torch.stack(losses).mean())

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        count = int(self.counts(len(self.layers) if num_codebooks is None else num_codebooks, latents[:1]).max())
        with torch.autocast(latents.device.type, enabled=False):
            residual = self.entering(latents)
            if max(beams) > 1 and count > self.groups:
                return self._searched(residual, count, beams)
            codes: list[Tensor] = []
            for book, channels in self._channels()[:count]:
                vectors = book.vectors
                codes.append(_chosen(book, residual[:, channels], vectors))
                residual = residual - self._placed(nn.functional.embedding(codes[-1], vectors).transpose(1, 2), channels)
            return torch.stack(codes, dim=1)

    def _searched(self, entered: Tensor, count: int, beams: Sequence[int]) -> Tensor:
        """Codes by beam search, each share of the channels for itself."""
        codes = torch.zeros(entered.shape[0], count, entered.shape[2], dtype=torch.long, device=entered.device)
        for group, (_, channels) in enumerate(self._channels()[: self.groups]):
            books = self.books[group : count : self.groups]
            found = beam_search(rows_of(entered[:, channels]), [book.vectors for book in books], beams)
            codes[:, group :: self.groups] = found.view(entered.shape[0], entered.shape[2], len(books)).transpose(1, 2)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all codebooks, to latents (batch, dim, frames); -1 adds nothing."""
        self.counts(codes.shape[1], codes)
        each = [
            self._placed((book.lookup(row.clamp(min=0)) * (row >= 0)[..., None]).transpose(1, 2), channels)
            for (book, channels), row in zip(self._channels(), codes.unbind(1), strict=False)
        ]
        return self.leaving(torch.stack(each).sum(0), codes[:, 0] >= 0)

    @property
    def started(self) -> bool:
        return all(book.started for book in self.books)

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        residual = self.entering(latents)
        for book, channels in self._channels():
            target = residual[:, channels]
            book.start(rows_of(target))
            chosen = book.lookup(_chosen(book, target, book.vectors))
            residual = residual - self._placed(chosen.transpose(1, 2), channels)

    def usage(self) -> list[Tensor]:
        return [book.usage for book in self.books]

    def _channels(self) -> list[tuple[Book, slice]]:
        """Each book and the channels that it codes."""
        shares = [slice(first, first + self.dim // self.groups) for first in range(0, self.dim, self.dim // self.groups)]
        return [(book, shares[index % self.groups]) for index, book in enumerate(self.books)]

    def _placed(self, added: Tensor, channels: slice) -> Tensor:
        """(batch, its channels, frames) among zeros, as (batch, dim, frames)."""
        return nn.functional.pad(added, (0, 0, channels.start, self.dim - channels.stop)) if self.groups > 1 else added


def nearest_of_many(rows: Tensor, vectors: Tensor) -> Tensor:
    """Index of the Euclidean-nearest of any number of vectors (size, dim) for each of rows (n, dim), in blocks of matrix products."""
    if len(vectors) <= VECTORS_AT_ONCE:
        return torch.cat([nearest(piece, vectors) for piece in torch.split(rows, ROWS_AT_ONCE)])
    return torch.cat([_nearest_in_blocks(piece, vectors) for piece in torch.split(rows, ROWS_AT_ONCE)])


def _nearest_in_blocks(rows: Tensor, vectors: Tensor) -> Tensor:
    best = torch.full((len(rows),), float("inf"), device=rows.device, dtype=rows.dtype)
    found = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
    for first in range(0, len(vectors), VECTORS_AT_ONCE):
        block = vectors[first : first + VECTORS_AT_ONCE]
        picks = nearest(rows, block)
        chosen = block[picks]
        distance = chosen.square().sum(1) - 2 * (rows * chosen).sum(1)
        better = distance < best
        best, found = torch.where(better, distance, best), torch.where(better, picks + first, found)
    return found


def _chosen(book: Book, target: Tensor, vectors: Tensor) -> Tensor:
    """(batch, dim, frames) to indices (batch, frames)."""
    return book.choose(rows_of(target), vectors).view(target.shape[0], target.shape[2])


def rows_of(x: Tensor) -> Tensor:
    """(batch, dim, frames) to (batch * frames, dim)."""
    return x.transpose(1, 2).reshape(-1, x.shape[1])
