"""Context models: counted frequencies of each code, given classes of the code before it in time and of the coarser one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from wavelex.tokens.entropy.priors.checking import check_table, check_tensors
from wavelex.tokens.entropy.range_coder import TOTAL

CLASSES = 12
"""Of the codes of a codebook; one more means that there is none."""
_STRENGTH = 120.0
"""Codes that the mixture of the single contexts counts for in a joint one."""
_FLOOR = 0.5


class ContextPrior:
    """Tables of frequencies; a code is seen with the class of its codebook's last code and that of the next coarser code.

    The coarsest codebook has no coarser one and sees the second codebook's last code instead.
    """

    kind = "context"

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        """`classes` (codebooks, size) int16 and `frequencies` (codebooks, CLASSES + 1, CLASSES + 1, size) uint16, which sum to TOTAL.

        A frequency may be 0: range coding leaves every alternative a 2^-24th. Raises ValueError for other types, shapes or values.
        """
        books, size = check_table(tensors, "classes", 2)
        check_tensors(tensors, {"classes": (np.int16, (books, size)), "frequencies": (np.uint16, (books, CLASSES + 1, CLASSES + 1, size))})
        if tensors["classes"].min() < 0 or tensors["classes"].max() >= CLASSES:
            raise ValueError(f"its classes are {tensors['classes'].min()} to {tensors['classes'].max()}, not 0 to {CLASSES - 1}")
        if (tensors["frequencies"].sum(axis=-1, dtype=np.int64) != TOTAL).any():
            raise ValueError(f"its frequencies do not sum to {TOTAL}")
        self.tensors = dict(tensors)
        self.classes = tensors["classes"].astype(np.int64)
        self.frequencies = tensors["frequencies"].astype(np.int64)
        self.sizes = (int(self.classes.shape[1]),) * int(self.classes.shape[0])

    @classmethod
    def counted(cls, codes: np.ndarray, classes: np.ndarray) -> ContextPrior:
        """From codes (codebooks, lanes, frames) of recordings and the class of each code (codebooks, size)."""
        size = classes.shape[1]
        tables = []
        for book, (before, beside) in enumerate(contexts(codes, classes)):
            joint = np.zeros((CLASSES + 1, CLASSES + 1, size))
            np.add.at(joint, (before.ravel(), beside.ravel(), codes[book].ravel()), 1.0)
            marginal = _normalized(joint.sum((0, 1)) + _FLOOR)
            each = [_normalized(joint.sum(axis) + _STRENGTH * marginal) for axis in (1, 0)]
            mixed = 0.5 * (each[0][:, None] + each[1][None, :])
            tables.append(_normalized(joint + _STRENGTH * mixed))
        whole = np.floor(np.stack(tables) * TOTAL).astype(np.int64)
        top = whole.argmax(axis=-1)[..., None]
        np.put_along_axis(whole, top, np.take_along_axis(whole, top, -1) + TOTAL - whole.sum(-1, keepdims=True), -1)
        # TOTAL itself is more than the 16 bits of the file hold; a code that takes it all leaves one to its neighbour.
        certain, neighbour = whole == TOTAL, np.roll(whole == TOTAL, 1, axis=-1)
        return cls({"classes": classes.astype(np.int16), "frequencies": (whole - certain + neighbour).astype(np.uint16)})

    def whole(self, codes: np.ndarray) -> Iterator[np.ndarray]:
        """See `Prior`."""
        for book, (before, beside) in enumerate(contexts(codes, self.classes)):
            yield self.frequencies[book, before, beside]

    def session(self, lanes: int, codebooks: int) -> ContextSession:
        """See `Prior`."""
        return ContextSession(self, lanes, codebooks)


def contexts(codes: np.ndarray, classes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each codebook of codes (codebooks, lanes, frames): the two classes (lanes, frames) that its codes are seen with."""
    found = np.stack([np.where(row >= 0, table[row], CLASSES) for row, table in zip(codes, classes, strict=False)])
    last = np.concatenate([np.full_like(found[:, :, :1], CLASSES), found[:, :, :-1]], axis=2)
    for book in range(len(codes)):
        nothing = np.full_like(found[0], CLASSES)
        yield last[book], found[book - 1] if book else (last[1] if len(codes) > 1 else nothing)


class ContextSession:
    """See `PriorSession`."""

    def __init__(self, prior: ContextPrior, lanes: int, codebooks: int) -> None:
        self._prior, self._books = prior, codebooks
        self._last = np.full((codebooks, lanes), CLASSES)
        self._current = self._last.copy()

    def frequencies(self, book: int, lanes: np.ndarray) -> np.ndarray:
        # A codec with one codebook has nothing beside it.
        coarser = self._current[book - 1] if book else self._last[min(1, self._books - 1)]
        beside = coarser[lanes] if self._books > 1 else np.full(len(lanes), CLASSES)
        found: np.ndarray = self._prior.frequencies[book, self._last[book, lanes], beside]
        return found

    def decoded(self, book: int, lanes: np.ndarray, codes: np.ndarray) -> None:
        self._current[book, lanes] = self._prior.classes[book, codes]

    def next_frame(self) -> None:
        self._last = self._current
        self._current = np.full_like(self._last, CLASSES)

    def heard(self, codes: np.ndarray) -> None:
        for book in range(codes.shape[1] if codes.shape[2] else 0):
            last = codes[:, book, -1]
            self._current[book] = np.where(last >= 0, self._prior.classes[book, last], CLASSES)
        if codes.shape[2]:
            self.next_frame()


def _normalized(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = counts / counts.sum(axis=-1, keepdims=True)
    return shares
