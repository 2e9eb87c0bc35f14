"""Rate-distortion search: codes nearly as near to the latents, and several percent smaller once coded with the neural prior."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wavelex.quantizers.base import Quantizer
from wavelex.search.base import FrameSearch
from wavelex.search.nearest import encode_with
from wavelex.tokens.entropy.blocks import LANE_FRAMES
from wavelex.tokens.entropy.priors.inputs import HIDDEN_SCALE, INPUT_SCALE, SIGNED, UNSIGNED, WEIGHT_SCALE, all_contexts, partial_sums
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.threads import one_thread

PRICE = 0.04
"""What a bit is worth, as a share of the squared error that a frame is left with; chosen on held-out speech (docs/training-notes.md)."""
REMAINDER = 2.0
"""That error, in mean squares of the last codebook's vectors."""
NARROW = (1, 4)
"""Beams of the search without prices, whose codes are always among the candidates."""
FRAMES_AT_ONCE = 64
"""Bounds the memory, frames x beam x size; more are not faster."""


class RateDistortionSearch(FrameSearch):
    """Codes of running latents; where these are cut makes no difference, and no frame waits for a later one.

    Minimises squared error plus a price times bits in a beam search over each frame's codebooks: entropy-constrained quantization
    (Chou, Lookabaugh and Gray 1989) with the prior that the file will be coded with. The past that the prior is given is that of the
    nearest codes instead of those chosen, so that frames need not be settled one after the other; that costs 0.3% of the bits.
    No frame is dearer, given that past, than with its nearest codes.
    """

    def __init__(self, quantizer: Quantizer, tables: PriceTables, codebooks: int, widths: Sequence[int], block_frames: int) -> None:
        """The best found with any of the beam `widths` is taken; the codes will be coded in blocks of so many frames."""
        self.codebooks = codebooks
        self._quantizer, self._tables, self._prior = quantizer, tables, tables.prior
        self._widths, self._block_frames = tuple(widths), block_frames
        self.begin()

    def begin(self) -> None:
        """Forget the frames before."""
        self._lane = np.zeros((0, self.codebooks, 0), np.int64)
        self._position = 0

    def choose(self, latents: Tensor, counts: Tensor | None = None) -> Tensor:
        """See `FrameSearch`."""
        streams, dim, frames = latents.shape
        if not frames:
            return torch.zeros(streams, self.codebooks, 0, dtype=torch.long, device=latents.device)
        nearest = encode_with(self._quantizer, latents, counts, self.codebooks, NARROW).cpu().numpy()
        contexts = self._contexts(nearest).reshape(streams * frames, -1)
        rows = latents.float().transpose(1, 2).reshape(-1, dim).cpu().numpy()
        plain = nearest.transpose(0, 2, 1).reshape(-1, self.codebooks)
        found = np.zeros_like(plain)
        with one_thread():
            for begin in range(0, len(rows), FRAMES_AT_ONCE):
                piece = slice(begin, begin + FRAMES_AT_ONCE)
                seen = self._tables.seen(contexts[piece], self.codebooks)
                found[piece] = self._best(rows[piece], seen, (plain[piece] >= 0).sum(axis=1), plain[piece])
        return torch.from_numpy(found.reshape(streams, frames, -1)).transpose(1, 2).to(latents.device)

    def _contexts(self, codes: np.ndarray) -> np.ndarray:
        """What the prior sees of the past of each frame, (streams, n, width), if codes (streams, codebooks, n) come next."""
        known = np.concatenate([self._lane, codes], axis=2) if len(self._lane) else codes
        before = known.shape[2] - codes.shape[2]
        in_lane = (self._position - before + np.arange(known.shape[2])) % self._block_frames % LANE_FRAMES
        lane = (in_lane == 0).cumsum() - 1
        laid = np.full((self.codebooks, len(codes), int(lane[-1]) + 1, LANE_FRAMES), -1)
        laid[:, :, lane, in_lane] = known.transpose(1, 0, 2)
        rows = laid.reshape(self.codebooks, -1, LANE_FRAMES)
        contexts = all_contexts(partial_sums(rows, self._prior.vectors)[-1], (rows >= 0).sum(axis=0), len(self._prior.sizes))
        self._position = (self._position + codes.shape[2]) % self._block_frames
        self._lane = known[:, :, known.shape[2] - self._position % LANE_FRAMES :]
        return contexts.reshape(*laid.shape[1:], -1)[:, lane, in_lane][:, before:]

    def _best(self, frames: np.ndarray, seen: np.ndarray, counts: np.ndarray, plain: np.ndarray) -> np.ndarray:
        best, cost = self._beam(frames, seen, counts, self._widths[0], plain)
        for width in self._widths[1:]:
            other, price = self._beam(frames, seen, counts, width, plain)
            best, cost = np.where((price < cost)[:, None], other, best), np.minimum(price, cost)
        return best

    def _beam(
        self, frames: np.ndarray, seen: np.ndarray, counts: np.ndarray, width: int, plain: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Best codes (n, codebooks) for frames (n, dim), and their costs (n,) in nats. The last hypothesis is always the plain one."""
        best = np.full((len(frames), self.codebooks), -1)
        costs = np.zeros(len(frames), np.float32)
        alive = np.arange(len(frames))
        residual = frames[:, None]
        sums = np.zeros((len(frames), 1, self._prior.dim), np.float32)
        nats = np.zeros((len(frames), 1), np.float32)
        codes = np.zeros((len(frames), 1, 0), np.int64)
        for book in range(self.codebooks):
            n, beam, dim = residual.shape
            each = np.arange(n)[:, None]
            weight = self._tables.weights[book]
            logits = self._tables.logits(book, seen[alive, book], sums)
            nats = nats + _log_sum(logits)
            prices = _product(residual.reshape(n * beam, dim), self._tables.vectors[book].T).reshape(n, beam, -1)
            prices *= -2 * weight
            prices += self._tables.squares[book] * weight
            prices -= logits
            prices += (weight * np.square(residual).sum(2) + nats)[..., None]
            # But the first time, the last hypothesis is the plain one, which goes its own way.
            kept, picks = _cheapest(prices[:, : max(1, beam - 1)], width)
            parents = np.concatenate([kept, np.full((n, 1), beam - 1)], axis=1)
            picks = np.concatenate([picks, plain[alive, book][:, None]], axis=1)
            nats = nats[each, parents] - logits[each, parents, picks]
            residual = residual[each, parents] - self._tables.vectors[book][picks]
            sums = sums[each, parents] + self._tables.whole_vectors[book][picks]
            codes = np.concatenate([codes[each, parents], picks[..., None]], axis=2)
            ended = counts[alive] == book + 1
            if ended.any():
                totals = weight * np.square(residual[ended]).sum(2) + nats[ended]
                which = totals.argmin(axis=1)
                costs[alive[ended]] = totals[np.arange(len(which)), which]
                best[alive[ended], : book + 1] = codes[ended][np.arange(len(which)), which]
                alive, residual, sums, nats, codes = (x[~ended] for x in (alive, residual, sums, nats, codes))
                if not len(alive):
                    break
        return best, costs


class PriceTables:
    """Code vectors of an additive quantizer as they are now, and the neural prior in floating point: near enough to choose by."""

    def __init__(self, quantizer: Quantizer, prior: NeuralPrior) -> None:
        self.prior = prior
        self.vectors = [quantizer.code_vectors(book).cpu().numpy() for book in range(len(quantizer.codebook_sizes))]
        self.squares = [np.square(vectors).sum(axis=1) for vectors in self.vectors]
        self.weights = _weights([float(squares.mean()) for squares in self.squares])
        real = {name: value.astype(np.float32) for name, value in prior.tensors.items()}
        self.whole_vectors = real["vectors"]
        self._partial = real["partial"] / (INPUT_SCALE * WEIGHT_SCALE)
        self._second, self._second_bias = real["second"] / WEIGHT_SCALE, real["second_bias"] / (HIDDEN_SCALE * WEIGHT_SCALE)
        self._out, self._out_bias = real["out"] / WEIGHT_SCALE, real["out_bias"] / (HIDDEN_SCALE * WEIGHT_SCALE)

    def seen(self, contexts: np.ndarray, books: int) -> np.ndarray:
        """What the past (n, context_width) adds to the first hidden layer of each codebook: (n, books, hidden)."""
        found: np.ndarray = self.prior.from_contexts(contexts, books) / np.float32(INPUT_SCALE * WEIGHT_SCALE)
        return found

    def logits(self, book: int, seen: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """(n, beam, size) in nats, from `seen` (n, hidden) and the sums of the coarser vectors (n, beam, dim)."""
        top = np.float32(UNSIGNED / HIDDEN_SCALE)
        n, beam, dim = sums.shape
        partial = (np.clip(sums, -SIGNED, SIGNED).reshape(-1, dim) @ self._partial[book]).reshape(n, beam, -1)
        first = np.clip(seen[:, None] + partial, 0, top).reshape(n * beam, -1)
        second = np.clip(first @ self._second[book] + self._second_bias[book], 0, top)
        found = _product(second, self._out[book])
        found += self._out_bias[book]
        return found.reshape(n, beam, -1)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, k) times (k, m); torch's is faster than numpy's on small matrices."""
    found = np.empty((len(a), b.shape[1]), b.dtype)
    # With a place for the result, autocast leaves the precision alone.
    torch.mm(torch.from_numpy(a.astype(b.dtype, copy=False)), torch.from_numpy(b), out=torch.from_numpy(found))
    return found


def _cheapest(prices: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Hypotheses (n, count) and codes (n, count) with the lowest prices (n, hypotheses, size), cheapest first."""
    n, _, size = prices.shape
    rows, flat = np.arange(n), prices.reshape(n, -1)
    found = np.zeros((n, min(count, flat.shape[1])), np.int64)
    for column in range(found.shape[1]):
        found[:, column] = flat.argmin(axis=1)
        flat[rows, found[:, column]] = np.inf
    return found // size, found % size


def _log_sum(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=2, keepdims=True)
    found: np.ndarray = np.log(np.exp(logits - top).sum(axis=2)) + top[..., 0]
    return found


def _weights(energies: Sequence[float]) -> np.ndarray:
    """Nats that a squared error left after each codebook is worth: (codebooks,) float32.

    `energies` are the mean squares of the vectors of all the quantizer's codebooks. What is left after one is mostly taken off by the
    finer ones, and the worth of a bit falls with the error that it takes off, so the weights are the same for any number of codebooks.
    """
    left = 1e-12 + REMAINDER * energies[-1] + np.cumsum([*energies, 0.0][::-1])[::-1][1:]
    found: np.ndarray = (math.log(2) / (PRICE * left)).astype(np.float32)
    return found
