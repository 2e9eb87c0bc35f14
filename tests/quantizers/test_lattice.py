"""Lattices: Babai's rounding, where it is the nearest point, and bases that learn."""

from __future__ import annotations

import itertools

import pytest
import torch
from contract import Largest, keeps_the_contract, latents, survives_storage

from wavelex.quantizers.lattice import LatticeVQ

FORMS = ["diagonal", "rotated", "free"]


def skewed(dim: int = 5, frames: int = 800, seed: int = 3) -> torch.Tensor:
    """Latents whose channels depend on each other."""
    torch.manual_seed(seed)
    return torch.einsum("de,bet->bdt", torch.randn(dim, dim), latents(dim, frames)) + torch.randn(dim)[:, None]


@pytest.mark.parametrize("form", FORMS)
def test_the_contract(form: str) -> None:
    quantizer = LatticeVQ(5, form=form)
    assert not quantizer.started
    quantizer.start(skewed())
    keeps_the_contract(quantizer, 5)
    survives_storage(quantizer, LatticeVQ(5, form=form), 5)
    codes = quantizer.encode(skewed(frames=7000))
    assert all(len(row.unique()) == 7 for row in codes.unbind(1))


@pytest.mark.parametrize("form", FORMS)
def test_points_of_the_lattice_are_their_own_codes(form: str) -> None:
    quantizer = LatticeVQ(5, form=form)
    quantizer.start(skewed())
    codes = torch.randint(0, 7, (2, 5, 30), generator=torch.Generator().manual_seed(1))
    assert torch.equal(quantizer.encode(quantizer.decode(codes)), codes)


def error_above_the_nearest(quantizer: LatticeVQ, x: torch.Tensor) -> float:
    every = torch.tensor(list(itertools.product(range(7), repeat=2))).T[None]
    points = quantizer.decode(every)[0].T
    rows = x.transpose(1, 2).flatten(0, 1)
    best = torch.cdist(rows, points).amin(1).square().mean()
    ours = (quantizer.decode(quantizer.encode(x)) - x).square().sum(1).mean()
    return float((ours / best).detach()) - 1


def test_rounding_is_the_nearest_point_along_orthogonal_directions_only() -> None:
    """In the middle of the lattice, where its ends cut nothing off."""
    torch.manual_seed(0)
    quantizer = LatticeVQ(2, form="rotated")
    quantizer.start(skewed(2))
    with torch.no_grad():
        quantizer.turned.add_(torch.randn(2, 2))
    inside = quantizer.decode(torch.randint(2, 5, (1, 2, 2000))).detach()
    inside = inside + 0.4 * quantizer.steps.detach()[:, None].amin() * torch.randn_like(inside).clamp(-1, 1)
    assert error_above_the_nearest(quantizer, inside) == pytest.approx(0, abs=1e-4)
    free = LatticeVQ(2, form="free")
    with torch.no_grad():
        free.steps.copy_(torch.tensor([[1.0, 0.7], [0.0, 0.5]]))
    assert error_above_the_nearest(free, torch.rand(1, 2, 2000) - 0.5) > 0.05


def test_a_rotated_lattice_has_the_most_in_its_first_codes() -> None:
    quantizer = LatticeVQ(5, form="rotated")
    x = skewed()
    quantizer.start(x)
    errors = [float((x - quantizer.decode(quantizer.encode(x, n)).detach()).square().mean()) for n in range(1, 6)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] - errors[1] > errors[3] - errors[4]
    plain = LatticeVQ(5, form="diagonal")
    plain.start(x)
    assert errors[-1] < float((x - plain.decode(plain.encode(x)).detach()).square().mean())


@pytest.mark.parametrize("form", FORMS)
def test_the_basis_learns_by_its_coordinates_and_the_encoder_straight_through(form: str) -> None:
    quantizer = LatticeVQ(5, form=form)
    quantizer.start(skewed())
    x, wanted = latents(5).requires_grad_(), latents(5, seed=2)
    (quantizer(x).latents * wanted).sum().backward()
    assert torch.equal(x.grad, wanted)
    # Latents of another scale: the loss falls as the basis follows.
    other = 1.7 * skewed(seed=4)
    parameters = list(quantizer.parameters())
    optimizer = torch.optim.Adam(parameters, 0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(quantizer(other).loss)
        losses[-1].backward()
        assert all(p.grad.abs().sum() for p in parameters)
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
    basis = quantizer.basis.detach()
    if form == "rotated":
        products = basis.T @ basis
        torch.testing.assert_close(products, torch.diag(products.diagonal()), atol=1e-3, rtol=1e-3)


def test_spread_widens_the_steps() -> None:
    quantizer = LatticeVQ(4, form="diagonal", spread=1.0)
    quantizer.start(latents(4))
    quantizer(latents(4)).loss.backward()
    assert (quantizer.steps.grad < 0).all()


def test_nothing_grows_with_the_number_of_points() -> None:
    quantizer = LatticeVQ(16)
    quantizer.start(latents(16))
    with Largest() as largest:
        quantizer.encode(latents(16, 300, 1))
    assert largest.elements <= 300 * 16


def test_unknown_forms_are_refused() -> None:
    with pytest.raises(ValueError, match="choose from"):
        LatticeVQ(4, form="leech")
