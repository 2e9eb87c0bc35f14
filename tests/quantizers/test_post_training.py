"""Discretisation of finished autoencoders: the distortion a Gaussian must have, flat use, and attention that learns the latents."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from contract import Largest, keeps_the_contract, latents, survives_storage, used
from scipy.optimize import minimize_scalar
from scipy.stats import norm, truncnorm

from wavelex.quantizers.attention import AttentionVQ
from wavelex.quantizers.post_training import GaussianBins, equal_mass_edges, interval_means, uniform_edges

SPACINGS = ["equal_mass", "uniform"]


def fitted(dim: int, bits: int, spacing: str) -> GaussianBins:
    quantizer = GaussianBins(dim, bits, spacing)
    assert not quantizer.started
    quantizer.start(latents(dim, 1000) * torch.arange(1.0, dim + 1)[:, None] + 3.0)
    return quantizer


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_contract(spacing: str) -> None:
    quantizer = fitted(6, 4, spacing)
    keeps_the_contract(quantizer, 6, spread=6.0)
    survives_storage(quantizer, GaussianBins(6, 4, spacing), 6)
    assert min(used(fitted(6, 4, spacing), 6, spread=8.0)) == 1


@pytest.mark.parametrize(
    ("bits", "equal_mass", "uniform"),
    # The second is that of Max, "Quantizing for minimum distortion" (1960), table II, whose values are the middles of intervals.
    [(2, 0.140, 0.1188), (3, 0.055, 0.0374), (4, 0.0225, 0.01154), (5, 0.0094, 0.00349), (6, 0.0040, 0.00104)],
)
def test_the_error_on_a_gaussian_is_as_computed(bits: int, equal_mass: float, uniform: float) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 4, 20_000)
    for spacing, expected in (("equal_mass", equal_mass), ("uniform", uniform)):
        quantizer = GaussianBins(4, bits, spacing)
        error = float((quantizer.decode(quantizer.encode(x)) - x).square().mean())
        least = 0.96 if spacing == "equal_mass" else 0.9
        assert least * expected < error < 1.02 * expected, spacing


def test_edges_and_values_equal_scipy() -> None:
    edges = equal_mass_edges(64)
    np.testing.assert_allclose(edges[1:-1], norm.ppf(np.arange(1, 64) / 64), atol=1e-8)
    for each in (edges, uniform_edges(16)):
        np.testing.assert_allclose(interval_means(each), [truncnorm.mean(a, b) for a, b in pairwise(each)], atol=1e-6)
    widths = np.diff(uniform_edges(16)[1:-1])
    np.testing.assert_allclose(widths, widths[0])

    def error(width: float) -> float:
        inner = np.concatenate([[-np.inf], width * (np.arange(1, 16) - 8), [np.inf]])
        share = np.diff(norm.cdf(inner))
        return float(1 - (np.diff(norm.pdf(inner)) ** 2 / share).sum())

    assert widths[0] == pytest.approx(minimize_scalar(error, bounds=(0.1, 1), method="bounded").x, abs=1e-3)


def test_equal_mass_is_used_alike_and_uniform_is_cheaper_to_code_for_its_error() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 1, 100_000)
    found = {}
    for spacing in SPACINGS:
        codes = GaussianBins(1, 5, spacing).encode(x).flatten()
        p = torch.bincount(codes, minlength=32).double() / len(codes)
        quantizer = GaussianBins(1, 5, spacing)
        found[spacing] = float(-(p * p.log2()).sum()), float((quantizer.decode(quantizer.encode(x)) - x).square().mean())
    assert found["equal_mass"][0] == pytest.approx(5.0, abs=0.01)
    bits, error = found["uniform"]
    # Half a bit fewer for less than half of the error.
    assert bits < 4.6
    assert error < 0.5 * found["equal_mass"][1]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_the_gradient_passes_straight_through(spacing: str) -> None:
    quantizer = fitted(6, 4, spacing).train()
    x, wanted = latents(6).requires_grad_(), latents(6, seed=2)
    made = quantizer(x)
    assert not made.loss
    (made.latents * wanted).sum().backward()
    assert torch.equal(x.grad, wanted)


def test_unknown_spacings_are_refused() -> None:
    with pytest.raises(ValueError, match="equal_mass, uniform"):
        GaussianBins(4, spacing="cubic")


def test_attention_keeps_the_contract() -> None:
    torch.manual_seed(0)
    quantizer = AttentionVQ(12, 2, 64)
    quantizer.start(latents(12, 300))
    keeps_the_contract(quantizer, 12)
    survives_storage(quantizer, AttentionVQ(12, 2, 64), 12)
    assert min(used(quantizer, 12)) > 0.5
    with Largest() as largest:
        quantizer.eval().encode(latents(12, 500, 1))
    assert largest.elements <= 500 * 64


def test_attention_learns_to_give_latents_back() -> None:
    torch.manual_seed(0)
    quantizer = AttentionVQ(8, 2, 64).train()
    x = latents(8, 200)
    quantizer.start(x)
    optimizer = torch.optim.Adam(quantizer.parameters(), 0.01)

    def error() -> float:
        with torch.no_grad():
            return float((quantizer.decode(quantizer.encode(x)) - x).square().mean())

    before = error()
    for _ in range(40):
        optimizer.zero_grad()
        quantizer(x).loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() for p in quantizer.parameters())
        optimizer.step()
    assert error() < 0.8 * before
    y, wanted = latents(8).requires_grad_(), latents(8, seed=2)
    (quantizer(y).latents * wanted).sum().backward()
    assert torch.equal(y.grad, wanted)


def test_what_is_asked_for_is_learned_from_the_error_alone() -> None:
    torch.manual_seed(0)
    quantizer = AttentionVQ(8, 1, 16, decided=0.0)
    quantizer(latents(8)).loss.backward()
    book = quantizer.books[0]
    assert all(layer.weight.grad is not None and layer.weight.grad.abs().sum() for layer in (book.query, book.key))
