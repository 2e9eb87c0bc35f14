"""A codebook whose size and centres come of the least structural entropy of a graph of latents (SECodec)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wavelex.quantizers.books import VectorQuantizer
from wavelex.quantizers.kmeans import FixedBook

Floats = NDArray[np.float64]
Graph = list[dict[int, float]]
"""For each node its neighbours and the weights between them, both ways."""


class StructuralBook(FixedBook):
    """Room for `size` centres, as many of which hold something as `start` found clusters."""

    found: Tensor

    def __init__(self, size: int, dim: int, commitment: float, sub_graph: int, neighbours: int) -> None:
        super().__init__(size, dim, commitment)
        self.sub_graph, self.neighbours = sub_graph, neighbours
        self.register_buffer("found", torch.tensor(size))

    @property
    def vectors(self) -> Tensor:
        return self.table[: self.in_use]

    @property
    def in_use(self) -> int:
        """Of a model without memory, all."""
        return self.size if self.found.is_meta else max(2, min(self.size, int(self.found)))

    @torch.no_grad()
    def start(self, rows: Tensor) -> None:
        centres = structural_centres(rows, self.size, self.sub_graph, self.neighbours)
        self.found.fill_(len(centres))
        self.table[: len(centres)] = centres
        self.fitted.fill_(True)


class StructuralVQ(VectorQuantizer):
    """One frozen codebook; how many vectors it has, at most `most`, is found by `start`.

    Wang et al., "SECodec" (arXiv 2501.00018): latents are nodes, cosine similarities edges, codebook vectors the means of the clusters
    that give the graph the least two-dimensional structural entropy, in sub-graphs first and then among their means. The paper encodes
    by the cluster that raises the entropy least; the nearest centre is the same where nodes weigh about alike. Gradients pass straight
    through. The graph joins each node to its `neighbours` nearest: the fewer, the more clusters.
    """

    def __init__(self, dim: int, most: int = 4096, commitment: float = 1.0, sub_graph: int = 1000, neighbours: int = 3) -> None:
        super().__init__(dim, [StructuralBook(most, dim, commitment, sub_graph, neighbours)])

    @property
    def codebook_sizes(self) -> list[int]:
        return [book.in_use for book in self.books if isinstance(book, StructuralBook)]

    def usage(self) -> list[Tensor]:
        return [book.usage[: book.in_use] for book in self.books if isinstance(book, StructuralBook)]


def structural_centres(rows: Tensor, most: int, sub_graph: int, neighbours: int) -> Tensor:
    """Means (K, dim) of the clusters of rows (n, dim), 1 <= K <= most."""
    order = torch.randperm(len(rows), device=rows.device)
    pieces = [_means(rows[piece], clusters(graph_of(rows[piece], neighbours))) for piece in torch.split(order, sub_graph)]
    means, weights = (torch.cat(parts) for parts in zip(*pieces, strict=True))
    if len(pieces) > 1:
        # What is one cluster of all has at most one mean in each sub-graph, so that more neighbours would be strangers.
        merged = clusters(graph_of(means, min(neighbours, len(pieces) - 1)))
        if int(merged.max()) > 0:
            means, weights = _means(means, merged, weights)
    # What does not fit is left out, the rarest first.
    return means[weights.topk(min(most, len(means))).indices]


def _means(rows: Tensor, labels: NDArray[np.int64], weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weighted means of the clusters, and the sums of their weights."""
    weights = rows.new_ones(len(rows)) if weights is None else weights
    index = torch.from_numpy(labels).to(rows.device)
    count = int(labels.max()) + 1
    totals = rows.new_zeros(count).index_add_(0, index, weights)
    sums = rows.new_zeros(count, rows.shape[1]).index_add_(0, index, rows * weights[:, None])
    return sums / totals[:, None], totals


def graph_of(rows: Tensor, neighbours: int) -> Graph:
    """Each row and its nearest by cosine, where that is positive."""
    unit = nn.functional.normalize(rows, dim=1)
    similar = unit @ unit.T
    similar.fill_diagonal_(-1.0)
    values, indices = similar.topk(min(neighbours, len(rows) - 1))
    graph: Graph = [{} for _ in range(len(rows))]
    for a, (weights, others) in enumerate(zip(values.tolist(), indices.tolist(), strict=True)):
        for weight, b in zip(weights, others, strict=True):
            if weight > 0:
                graph[a][b] = graph[b][a] = weight
    return graph


def clusters(graph: Graph) -> NDArray[np.int64]:
    """For each node the number of its cluster, from 0: those that are left when no merger of two neighbours lowers the entropy."""
    merging = _Merging(graph)
    for _ in merging:
        pass
    return merging.labels()


def structural_entropy(graph: Graph, labels: NDArray[np.int64]) -> float:
    """Two-dimensional structural entropy in bits (Li and Pan, 2016): -sum over clusters of g / V log(v / V) + sum of d / V log(d / v).

    d are degrees, v their sum in a cluster, V in the graph, g the weight of the edges that leave a cluster.
    """
    degrees = np.array([sum(edges.values()) for edges in graph])
    volume = degrees.sum()
    entropy = 0.0
    for label in range(int(labels.max()) + 1):
        inside = labels == label
        cluster = degrees[inside].sum()
        leaving = sum(w for a in np.flatnonzero(inside) for b, w in graph[a].items() if labels[b] != label)
        each = degrees[inside][degrees[inside] > 0]
        entropy -= (each / volume * np.log2(each / cluster)).sum() if len(each) else 0.0
        entropy -= leaving / volume * np.log2(cluster / volume) if leaving else 0.0
    return float(entropy)


class _Merging(Iterator[float]):
    """Greedy mergers, the one that lowers the entropy most first; gives by how much each did, in bits."""

    def __init__(self, graph: Graph) -> None:
        self.edges: dict[int, dict[int, float]] = {node: dict(edges) for node, edges in enumerate(graph)}
        self.next = len(graph)
        self.volumes = {node: sum(edges.values()) for node, edges in self.edges.items()}
        self.cuts = dict(self.volumes)
        self.volume = sum(self.volumes.values())
        self.members = {node: [node] for node in self.edges}
        self.heap = [(self._change(a, b), a, b) for a, edges in self.edges.items() for b in edges if a < b]
        heapq.heapify(self.heap)

    def __next__(self) -> float:
        while self.heap:
            change, a, b = heapq.heappop(self.heap)
            if change >= 0:
                break
            if a in self.edges and b in self.edges:
                self._merge(a, b)
                return -change / self.volume
        raise StopIteration

    def labels(self) -> NDArray[np.int64]:
        found = np.zeros(sum(map(len, self.members.values())), np.int64)
        for label, members in enumerate(self.members.values()):
            found[members] = label
        return found

    def _change(self, a: int, b: int) -> float:
        """Of entropy times volume. What degrees have to do with their own logarithms is the same before and after."""
        volume = self.volumes[a] + self.volumes[b]
        cut = self.cuts[a] + self.cuts[b] - 2 * self.edges[a][b]
        return self._term(volume, cut) - self._term(self.volumes[a], self.cuts[a]) - self._term(self.volumes[b], self.cuts[b])

    def _term(self, volume: float, cut: float) -> float:
        return float(volume * np.log2(volume) - cut * np.log2(volume / self.volume))

    def _merge(self, a: int, b: int) -> None:
        """Into a cluster of a new number, so that what the heap holds of the old ones is known to be stale."""
        new, self.next = self.next, self.next + 1
        between = self.edges[a][b]
        edges = self.edges.pop(a)
        for other, weight in self.edges.pop(b).items():
            edges[other] = edges.get(other, 0.0) + weight
        del edges[a], edges[b]
        self.volumes[new] = self.volumes.pop(a) + self.volumes.pop(b)
        self.cuts[new] = self.cuts.pop(a) + self.cuts.pop(b) - 2 * between
        self.members[new] = self.members.pop(a) + self.members.pop(b)
        self.edges[new] = edges
        for other, weight in edges.items():
            self.edges[other].pop(a, None)
            self.edges[other].pop(b, None)
            self.edges[other][new] = weight
            heapq.heappush(self.heap, (self._change(new, other), new, other))
