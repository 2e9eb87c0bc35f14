"""The neural prior in whole numbers: what PriorNetwork computes, the same on every machine.

Weights have 8 bits with sign, hidden values 8 bits without, so every sum stays below 2^24 and float32 holds it exactly, in
whatever order a library adds it up; that is what lets ordinary matrix products be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import numpy as np

from wavelex.tokens.entropy.priors.checking import check_table, check_tensors
from wavelex.tokens.entropy.priors.inputs import (
    FLAGS,
    HIDDEN_SCALE,
    INPUT_SCALE,
    PAST,
    SIGNED,
    UNSIGNED,
    WEIGHT_SCALE,
    all_contexts,
    clipped,
    context_width,
    partial_sums,
)
from wavelex.tokens.entropy.range_coder import TOTAL

EXACT = 1 << 24
"""Whole numbers below this are held exactly by float32."""
LOGIT_STEPS = 16
"""A nat."""
_WEIGHTS_TOP = 20
_EXPONENTIALS = np.array([int(Decimal(2**_WEIGHTS_TOP) * (Decimal(-d) / LOGIT_STEPS).exp()) for d in range(16 * LOGIT_STEPS)], float)
"""e to the power of -d / LOGIT_STEPS in whole 2^-20; decimal rounds correctly everywhere."""
_RECIPROCAL = 42


class NeuralPrior:
    """Made of a trained network and whole code vectors; `tensors` are what is stored."""

    kind = "neural"

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Raises ValueError for tensors of other types and shapes, and for sums that float32 could not hold exactly."""
        books, size, dim = check_table(tensors, "vectors", 3)
        hidden = tensors["second"].shape[-1] if "second" in tensors and tensors["second"].ndim else 0
        weights: dict[str, tuple[int, ...]] = {
            "context": (context_width(dim), books * hidden),
            "partial": (books, dim, hidden),
            "second": (books, hidden, hidden),
            "out": (books, hidden, size),
        }
        biases: dict[str, tuple[int, ...]] = {"first_bias": (books * hidden,), "second_bias": (books, hidden), "out_bias": (books, size)}
        expected: dict[str, tuple[type[np.integer], tuple[int, ...]]] = {"vectors": (np.int16, (books, size, dim))}
        expected |= {name: (np.int8, shape) for name, shape in weights.items()}
        check_tensors(tensors, expected | {name: (np.int32, shape) for name, shape in biases.items()})
        if not hidden:
            raise ValueError("it has no hidden values")
        self.tensors = dict(tensors)
        self.vectors = tensors["vectors"]
        self.sizes, self.dim, self.hidden = (size,) * books, dim, hidden
        self._float = {name: value.astype(np.float32) for name, value in tensors.items() if name != "vectors"}
        if self.largest_sum() >= EXACT:
            raise ValueError(f"sums of up to {self.largest_sum()} are not exact in float32; train with smaller or fewer weights")

    def largest_sum(self) -> int:
        """The largest magnitude that any sum over its inputs can have."""
        t = {name: np.abs(value.astype(np.int64)) for name, value in self.tensors.items()}
        books, hidden = len(self.sizes), self.hidden
        first = (t["context"].sum(0) + t["first_bias"]).reshape(books, hidden) + t["partial"].sum(1)
        second = t["second"].sum(1) * UNSIGNED + t["second_bias"]
        out = t["out"].sum(1) * UNSIGNED + t["out_bias"]
        bias = int(t["first_bias"].max(initial=0))
        return max(int(first.max()) * SIGNED + bias, int(second.max()), int(out.max()))

    def whole(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """See `Prior`."""
        books, lanes, frames = codes.shape
        sums = partial_sums(codes, self.vectors)
        contexts = all_contexts(sums[-1], (codes >= 0).sum(axis=0), len(self.sizes))
        seen = self.from_contexts(contexts.reshape(lanes * frames, contexts.shape[2]), books)
        for book in range(books):
            found = self.frequencies(book, seen[:, book], sums[book].reshape(lanes * frames, self.dim))
            yield found.reshape(lanes, frames, found.shape[1])

    def session(self, lanes: int, codebooks: int) -> NeuralSession:
        """See `Prior`."""
        return NeuralSession(self, lanes, codebooks)

    def from_contexts(self, contexts: np.ndarray, books: int) -> np.ndarray:
        """What the past (n, context_width) adds to the first hidden layer of each codebook: (n, books, hidden)."""
        width = books * self.hidden
        seen = _product(contexts, self._float["context"][:, :width])
        seen += self._float["first_bias"][:width]
        return seen.reshape(len(contexts), books, self.hidden)

    def frequencies(self, book: int, seen: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """(n, size) for a codebook, from `from_contexts` (n, hidden) and the sums of the coarser vectors (n, dim)."""
        first = _product(clipped(sums), self._float["partial"][book])
        first += seen
        first = np.clip(_step_down(first, INPUT_SCALE * WEIGHT_SCALE // HIDDEN_SCALE), 0, UNSIGNED, out=first)
        second = _product(first, self._float["second"][book])
        second += self._float["second_bias"][book]
        second = np.clip(_step_down(second, WEIGHT_SCALE), 0, UNSIGNED, out=second)
        logits = _product(second, self._float["out"][book])
        logits += self._float["out_bias"][book]
        return shares(_step_down(logits, HIDDEN_SCALE * WEIGHT_SCALE // LOGIT_STEPS))

    def vectors_of(self, book: int, codes: np.ndarray) -> np.ndarray:
        """Whole vectors (n, dim) of codes (n,)."""
        chosen: np.ndarray = self.vectors[book][codes]
        return chosen


class NeuralSession:
    """See `PriorSession`."""

    def __init__(self, prior: NeuralPrior, lanes: int, codebooks: int) -> None:
        self._prior, self._books = prior, codebooks
        self._past = np.zeros((lanes, PAST, prior.dim + FLAGS), np.int32)
        self._total = np.zeros((lanes, prior.dim), np.int64)
        self._frames = 0
        self._begin()

    def _begin(self) -> None:
        lanes = len(self._past)
        self._seen: np.ndarray | None = None
        self._sums = np.zeros((lanes, self._prior.dim), np.int32)
        self._counts = np.zeros(lanes, np.int64)

    def frequencies(self, book: int, lanes: np.ndarray) -> np.ndarray:
        if self._seen is None:
            mean = clipped(self._total // max(1, self._frames))
            past = self._past.reshape(len(self._past), PAST * (self._prior.dim + FLAGS))
            self._seen = self._prior.from_contexts(np.concatenate([past, mean], axis=1), self._books)
        return self._prior.frequencies(book, self._seen[lanes, book], self._sums[lanes])

    def decoded(self, book: int, lanes: np.ndarray, codes: np.ndarray) -> None:
        self._sums[lanes] += self._prior.vectors_of(book, codes)
        self._counts[lanes] += 1

    def next_frame(self) -> None:
        self._past[:, 1:] = self._past[:, :-1].copy()
        self._past[:, 0, :-FLAGS] = clipped(self._sums)
        self._past[:, 0, -FLAGS] = INPUT_SCALE
        self._past[:, 0, -1] = self._counts * INPUT_SCALE // len(self._prior.sizes)
        self._total += self._sums
        self._frames += 1
        self._begin()

    def heard(self, codes: np.ndarray) -> None:
        sums = partial_sums(codes.transpose(1, 0, 2), self._prior.vectors)[-1]
        counts = (codes >= 0).sum(axis=1)
        # Frames that will not be among those seen one by one count for the mean alone.
        early = max(0, codes.shape[2] - PAST)
        self._total += sums[:, :early].sum(axis=1)
        self._frames += early
        for frame in range(early, codes.shape[2]):
            self._sums, self._counts = sums[:, frame], counts[:, frame]
            self.next_frame()


def shares(logits: np.ndarray) -> np.ndarray:
    """Whole logits (n, size) in LOGIT_STEPS a nat to whole frequencies (n, size) that sum to TOTAL.

    The likeliest takes what rounding leaves.
    """
    top = logits.argmax(axis=1)
    rows = np.arange(len(logits))
    below = logits[rows, top][:, None] - logits
    np.minimum(below, np.float32(len(_EXPONENTIALS) - 1), out=below)
    weights = _EXPONENTIALS.take(below.astype(np.intp))
    # Whole numbers below 2^53 throughout, of which float64 products are exact and faster than those of 64-bit integers.
    reciprocal = (1 << _RECIPROCAL) // weights.sum(axis=1).astype(np.int64)
    weights *= reciprocal[:, None] * (TOTAL / (1 << _RECIPROCAL))
    found: np.ndarray = np.floor(weights, out=weights)
    found[rows, top] += TOTAL - found.sum(axis=1)
    return found


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, k) times (k, m) in the precision of b, which holds every whole number that may come up."""
    found: np.ndarray = a.astype(b.dtype, copy=False) @ b
    return found


def _step_down(sums: np.ndarray, steps: int) -> np.ndarray:
    """Division by a power of two, rounded to the nearest whole number; halves go up. In place."""
    sums += np.float32(steps // 2)
    sums *= np.float32(1 / steps)
    found: np.ndarray = np.floor(sums, out=sums)
    return found
