"""Codebooks by gradient or by k-means: product, projected, fixed and transported ones keep the contract and learn what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import vector_quantize_pytorch as reference
from contract import Largest, keeps_the_contract, latents, survives_storage, used
from scipy.optimize import linear_sum_assignment, linprog
from sklearn.cluster import KMeans

from wavelex.quantizers.books import VectorQuantizer, nearest_of_many
from wavelex.quantizers.kmeans import KMeansVQ, kmeans
from wavelex.quantizers.product import ProductVQ
from wavelex.quantizers.projected import ProjectedVQ
from wavelex.quantizers.structural import StructuralVQ
from wavelex.quantizers.wasserstein import WassersteinVQ, transport_cost

KINDS: dict[str, Callable[[], VectorQuantizer]] = {
    "product": lambda: ProductVQ(12, 3, 32),
    "projected": lambda: ProjectedVQ(12, 200, 4),
    "k-means": lambda: KMeansVQ(12, 64),
    "residual k-means": lambda: KMeansVQ(12, 32, 3),
    "wasserstein": lambda: WassersteinVQ(12, 32),
    "structural": lambda: StructuralVQ(12, 100, sub_graph=200),
}


def started(kind: str) -> VectorQuantizer:
    torch.manual_seed(0)
    quantizer = KINDS[kind]()
    if not quantizer.started:
        quantizer.start(latents(12, 600, 2, seed=5))
    assert quantizer.started
    return quantizer


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(kind: str) -> None:
    quantizer = started(kind)
    keeps_the_contract(quantizer, 12)
    survives_storage(quantizer, KINDS[kind](), 12)
    assert min(used(quantizer, 12)) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_passes_straight_through(kind: str) -> None:
    quantizer = started(kind)
    x, wanted = latents(12).requires_grad_(), latents(12, seed=2)
    (quantizer(x).latents * wanted).sum().backward()
    ours, x.grad = x.grad.clone(), None
    # Codes are as if they were not: what remains are the maps on the way in and out.
    straight = quantizer.leaving(quantizer.entering(x), torch.ones(3, 40))
    (straight * wanted).sum().backward()
    torch.testing.assert_close(ours, x.grad)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_teaches_encoder_and_codebook(kind: str) -> None:
    quantizer = started(kind).train()
    frozen = {name: value.clone() for name, value in quantizer.named_buffers() if not name.endswith("usage")}
    x = latents(12).requires_grad_()
    made = quantizer(x)
    (made.loss + made.latents.square().mean()).backward()
    assert float(x.grad.abs().max()) > 0
    assert all(p.grad is not None and p.grad.abs().sum() for p in quantizer.parameters())
    assert all(torch.equal(value, dict(quantizer.named_buffers())[name]) for name, value in frozen.items())
    assert all(counts.std() > 0 for counts in quantizer.usage())


@pytest.mark.parametrize("kind", KINDS)
def test_lookups_are_matrix_products(kind: str) -> None:
    """No operation makes anything of frames x codes x channels."""
    quantizer = started(kind).eval()
    x = latents(12, 500, 1)
    with Largest() as largest:
        quantizer.encode(x)
    assert largest.elements <= 500 * max(12, *quantizer.codebook_sizes)


def test_product_equals_vector_quantize_pytorch() -> None:
    torch.manual_seed(0)
    theirs = reference.VectorQuantize(
        dim=24, codebook_size=32, heads=3, codebook_dim=8, separate_codebook_per_head=True, use_cosine_sim=True, rotation_trick=False
    ).eval()
    ours = ProductVQ(24, 3, 32).eval()
    with torch.no_grad():
        for book, table in zip(ours.books, theirs._codebook.embed, strict=True):
            book.weight.copy_(table * 2.5)
    x = latents(24, 200)
    made, indices, _ = theirs(x.transpose(1, 2))
    assert torch.equal(ours.encode(x), indices.transpose(1, 2))
    torch.testing.assert_close(ours(x).latents.transpose(1, 2), made, atol=1e-5, rtol=1e-5)


def test_a_projected_codebook_equals_vector_quantize_pytorch() -> None:
    torch.manual_seed(0)
    ours = ProjectedVQ(12, 200, 4)
    ours.start(latents(12, 500))
    theirs = reference.SimVQ(
        dim=4,
        codebook_size=200,
        frozen_codebook_dim=12,
        rotation_trick=False,
        commitment_weight=0.33,
        input_to_quantize_commit_loss_weight=1 / 0.33,
    )
    theirs.frozen_codebook.copy_(ours.books[0].base)
    theirs.code_transform.load_state_dict(ours.books[0].projector.state_dict())
    x = latents(12)
    inner = ours.entering(x)
    made, indices, loss = theirs(inner.transpose(1, 2))
    found = ours(x)
    assert torch.equal(found.codes[:, 0], indices)
    torch.testing.assert_close(found.latents, ours.leaving(made.transpose(1, 2), torch.ones(3, 40)), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.loss, loss)
    # The distance to the latents counts in full for the encoder, a third of it for the projector.
    (ours_gradient,) = torch.autograd.grad(found.loss, ours.books[0].projector.weight)
    (their_gradient,) = torch.autograd.grad(loss, theirs.code_transform.weight)
    torch.testing.assert_close(ours_gradient, their_gradient)


def test_a_projected_codebook_begins_on_the_principal_components() -> None:
    torch.manual_seed(0)
    mixing = torch.randn(12, 4)
    x = torch.einsum("dk,bkt->bdt", mixing, latents(4, 800)) + 3.0
    quantizer = ProjectedVQ(12, 400, 4)
    quantizer.start(x)
    # Latents of four dimensions lose nothing by the maps, so that what is left is the error of four-dimensional k-means.
    error = float((quantizer(x).latents.detach() - x).square().sum() / (x - x.mean((0, 2))[:, None]).square().sum())
    assert error < 0.15
    assert used(quantizer, 12)[0] > 0


def test_projected_features_may_be_of_another_width_than_latents() -> None:
    torch.manual_seed(0)
    quantizer = ProjectedVQ(12, 50, 4, feature_dim=7)
    quantizer.start(latents(7, 400))
    keeps_the_contract(quantizer, 12)


@pytest.mark.slow
def test_a_hundred_thousand_vectors_are_searched_on_a_cpu() -> None:
    torch.manual_seed(0)
    quantizer = ProjectedVQ(64, 100_000).eval()
    quantizer.books[0].start(torch.randn(20_000, 64))
    with Largest() as largest:
        codes = quantizer.encode(latents(64, 1000, 1))
    assert largest.elements <= 2048 * 8192
    with torch.no_grad():
        exact = torch.cdist(quantizer.entering(latents(64, 1000, 1))[0].T, quantizer.books[0].vectors).argmin(1)
    assert (codes[0, 0] == exact).float().mean() > 0.999


def test_kmeans_is_as_good_as_scikit_learn() -> None:
    torch.manual_seed(0)
    rows = torch.randn(3000, 6) * torch.tensor([3, 2, 1, 1, 0.5, 0.1])
    centres = kmeans(rows, 40)
    ours = float((rows - centres[nearest_of_many(rows, centres)]).square().sum())
    theirs = KMeans(40, n_init=3, random_state=0).fit(rows.numpy()).inertia_
    assert ours < 1.05 * theirs


@pytest.mark.parametrize("seeded", [2048, 0])
def test_kmeans_leaves_no_centre_alone(seeded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Begun on random rows, most centres are the same at first.
    monkeypatch.setattr("wavelex.quantizers.kmeans.SEEDED", seeded)
    torch.manual_seed(0)
    rows = torch.cat([torch.zeros(500, 3), torch.randn(30, 3) + 50])
    centres = kmeans(rows, 20)
    assert len(nearest_of_many(rows, centres).unique()) == 20
    few = kmeans(torch.randn(10, 3), 25)
    assert few.shape == (25, 3)
    assert len(few.unique(dim=0)) == 25


def test_kmeans_finds_what_is_there() -> None:
    torch.manual_seed(0)
    centres = torch.randn(12, 5) * 10
    rows = centres[torch.arange(1200) % 12] + 0.1 * torch.randn(1200, 5)
    assert float(torch.cdist(centres, kmeans(rows, 12)).amin(1).max()) < 0.1


def exact_transport(squares: np.ndarray, chances: np.ndarray) -> float:
    """By linear programming."""
    n, size = squares.shape
    equal = np.zeros((n + size, n * size))
    for i in range(n):
        equal[i, i * size : (i + 1) * size] = 1
    for k in range(size):
        equal[n + k, k::size] = 1
    found = linprog(squares.ravel(), A_eq=equal, b_eq=np.concatenate([np.full(n, 1 / n), chances / chances.sum()]))
    return float(found.fun)


def test_transport_costs_what_linear_programming_says() -> None:
    torch.manual_seed(0)
    rows, vectors, logits = torch.randn(12, 3), torch.randn(5, 3), torch.randn(5)
    squares = torch.cdist(rows, vectors).square()
    cost = transport_cost(rows, vectors, logits.log_softmax(0), blur=0.002, iterations=3000)
    assert float(cost) == pytest.approx(exact_transport(squares.numpy(), logits.double().softmax(0).numpy()), rel=0.01)
    equal = torch.randn(12, 3)
    picks = linear_sum_assignment(torch.cdist(rows, equal).square().numpy())
    assignment = torch.cdist(rows, equal).square()[picks].mean()
    cost = transport_cost(rows, equal, torch.zeros(12).log_softmax(0), blur=0.002, iterations=3000)
    torch.testing.assert_close(cost, assignment, rtol=0.01, atol=0)


def test_gradients_of_the_transport_are_those_of_its_value() -> None:
    torch.manual_seed(0)
    rows, vectors, logits = (torch.randn(shape, dtype=torch.double) for shape in ((9, 3), (4, 3), (4,)))

    def exact(rows: torch.Tensor, vectors: torch.Tensor, logits: torch.Tensor) -> float:
        return exact_transport(torch.cdist(rows, vectors).square().numpy(), logits.softmax(0).numpy())

    held = [each.clone().requires_grad_() for each in (rows, vectors, logits)]
    transport_cost(held[0], held[1], held[2].log_softmax(0), blur=0.001, iterations=5000).backward()
    for which, each in enumerate((rows, vectors, logits)):
        direction = torch.randn_like(each)
        ahead, behind = (
            [x + sign * 1e-4 * direction if i == which else x for i, x in enumerate((rows, vectors, logits))] for sign in (1, -1)
        )
        slope = (exact(*ahead) - exact(*behind)) / 2e-4
        assert float((held[which].grad * direction).sum()) == pytest.approx(slope, rel=0.05, abs=0.02)


def test_the_transport_brings_a_codebook_far_away_into_use() -> None:
    torch.manual_seed(0)
    quantizer = WassersteinVQ(4, 16, transport=1.0)
    with torch.no_grad():
        quantizer.books[0].weight.mul_(0.1).add_(3.0)
    assert used(quantizer, 4)[0] < 0.7
    optimizer = torch.optim.Adam(quantizer.parameters(), 0.2)
    for step in range(60):
        optimizer.zero_grad()
        quantizer(latents(4, 60, seed=step)).loss.backward()
        optimizer.step()
    assert used(quantizer, 4)[0] == 1


def test_shares_that_are_not_even_are_refused() -> None:
    with pytest.raises(ValueError, match="evenly"):
        ProductVQ(10, 3, 8)
