"""Clusters of least structural entropy: the formula, the mergers and how many clusters come out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wavelex.quantizers.structural import StructuralVQ, _Merging, clusters, graph_of, structural_centres, structural_entropy


def random_graph(nodes: int, seed: int, edges: float = 0.6) -> list[dict[int, float]]:
    rng = np.random.default_rng(seed)
    graph: list[dict[int, float]] = [{} for _ in range(nodes)]
    for a in range(nodes):
        for b in range(a + 1, nodes):
            if rng.random() < edges or b == a + 1:
                graph[a][b] = graph[b][a] = float(rng.uniform(0.1, 1))
    return graph


def groups_of(count: int, size: int, dim: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(count, dim, generator=generator)
    return centres.repeat_interleave(size, dim=0) + 0.05 * torch.randn(count * size, dim, generator=generator)


@pytest.mark.parametrize("seed", range(5))
def test_each_merger_lowers_the_entropy_by_what_it_says(seed: int) -> None:
    graph = random_graph(14, seed)
    merging = _Merging(graph)
    before = structural_entropy(graph, merging.labels())
    for lowered in merging:
        after = structural_entropy(graph, merging.labels())
        assert before - after == pytest.approx(lowered, abs=1e-9)
        assert lowered > 0
        before = after


def partitions(count: int):  # type: ignore[no-untyped-def]
    def grow(labels: list[int], most: int):  # type: ignore[no-untyped-def]
        if len(labels) == count:
            yield np.array(labels)
            return
        for label in range(most + 1):
            yield from grow([*labels, label], max(most, label + 1))

    return grow([], 0)


@pytest.mark.parametrize("seed", range(4))
def test_no_partition_is_much_better(seed: int) -> None:
    graph = random_graph(7, seed, 0.4)
    best = min(structural_entropy(graph, labels) for labels in partitions(7))
    ours = structural_entropy(graph, clusters(graph))
    assert best - 1e-9 <= ours <= best * 1.05


def test_two_cliques_with_one_edge_are_two_clusters() -> None:
    graph: list[dict[int, float]] = [{b: 1.0 for b in range(5) if b != a} for a in range(5)]
    graph += [{b: 1.0 for b in range(5, 10) if b != a} for a in range(5, 10)]
    graph[4][5] = graph[5][4] = 0.2
    labels = clusters(graph)
    assert len(set(labels[:5])) == len(set(labels[5:])) == 1
    assert labels[0] != labels[9]


def test_the_number_of_vectors_is_that_of_the_groups() -> None:
    torch.manual_seed(0)
    rows = groups_of(25, 40)
    centres = structural_centres(rows, 1000, sub_graph=2000, neighbours=10)
    assert len(centres) == 25
    assert float(torch.cdist(rows[::40], centres).amin(1).max()) < 0.5
    # In sub-graphs, whose means are merged.
    centres = structural_centres(rows, 1000, sub_graph=500, neighbours=10)
    assert 20 <= len(centres) <= 50


def test_the_size_found_is_kept_with_the_weights_and_bounded() -> None:
    torch.manual_seed(0)
    quantizer = StructuralVQ(8, 100, neighbours=10)
    assert quantizer.codebook_sizes == [100]
    assert not quantizer.started
    quantizer.start(groups_of(25, 40).T[None])
    assert quantizer.codebook_sizes == [25]
    assert quantizer.code_vectors(0).shape == (25, 8)
    other = StructuralVQ(8, 100, neighbours=10)
    other.load_state_dict(quantizer.state_dict())
    assert other.codebook_sizes == [25]
    few = StructuralVQ(8, 10, neighbours=10)
    few.start(groups_of(25, 40).T[None])
    assert few.codebook_sizes == [10]
    quantizer.books[0].found.fill_(10**9)
    assert quantizer.codebook_sizes == [100]
    with torch.device("meta"):
        assert StructuralVQ(8, 100).codebook_sizes == [100]


def test_nodes_without_a_similar_one_stay_alone() -> None:
    rows = torch.cat([groups_of(1, 20), -groups_of(1, 1)])
    labels = clusters(graph_of(rows, 5))
    assert int((labels == labels[20]).sum()) == 1
