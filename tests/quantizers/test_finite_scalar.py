"""Finite scalars: the published rules, residual layers that help, groups, and agreement with independent code."""

from __future__ import annotations

import pytest
import torch
import vector_quantize_pytorch as reference
from contract import keeps_the_contract, latents, survives_storage, used

from wavelex.quantizers.finite_scalar import FiniteScalar

KINDS = {
    "plain": lambda: FiniteScalar(4, (8, 5, 5, 5)),
    "mapped": lambda: FiniteScalar(12, (8, 5, 5, 5)),
    "firefly": lambda: FiniteScalar(64, (8, 5, 5, 5), groups=8, form="tanh twice"),
    "cosyvoice 2": lambda: FiniteScalar(12, (3,) * 8, margin=-1e-3),
    "residual": lambda: FiniteScalar(12, (5, 5, 4), layers=3, form="clamp"),
    "residual groups": lambda: FiniteScalar(12, (4, 4), groups=3, layers=2, form="clamp"),
    "one map": lambda: FiniteScalar(12, (4, 4), groups=3, separate=False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = KINDS[kind]()
    if quantizer.into is not None:
        torch.nn.init.normal_(quantizer.bias)
    keeps_the_contract(quantizer, quantizer.dim)
    survives_storage(quantizer, KINDS[kind](), quantizer.dim)
    # Nothing is to be minimised, and every parameter and the encoder get a gradient.
    x = latents(quantizer.dim).requires_grad_()
    made = quantizer.train()(x)
    assert not made.loss
    (made.latents * latents(quantizer.dim, seed=2)).sum().backward()
    assert float(x.grad.abs().min()) > 0 or quantizer.form == "clamp"
    assert all(p.grad is not None and p.grad.abs().sum() for p in quantizer.parameters())


def test_the_gradient_is_that_of_the_bounded_value() -> None:
    for layers, form in ((1, "tanh"), (1, "clamp"), (3, "clamp"), (1, "tanh twice")):
        quantizer = FiniteScalar(3, (5, 4, 7), layers=layers, form=form)
        x, gradient = latents(3).requires_grad_(), latents(3, seed=2)
        (quantizer(x).latents * gradient).sum().backward()
        ours, x.grad = x.grad.clone(), None
        (quantizer._value(quantizer._unrounded(quantizer._entering(x))) * gradient).sum().backward()
        torch.testing.assert_close(ours, x.grad)


def test_residual_layers_lower_the_error_by_about_their_levels() -> None:
    quantizer = FiniteScalar(3, (5, 5, 5), layers=3, form="clamp")
    x = latents(3, 400)
    bounded = quantizer._entering(x)
    errors = [float((bounded - quantizer.decode(quantizer.encode(x, n))).square().mean()) for n in (1, 2, 3)]
    assert errors[0] > 15 * errors[1] > 15 * 15 * errors[2]


def test_every_code_is_its_own_vector() -> None:
    quantizer = FiniteScalar(4, (8, 5, 5, 5))
    vectors = quantizer.code_vectors(0)
    assert len(vectors.unique(dim=0)) == 1000
    assert float(vectors.abs().max()) == 1
    assert used(FiniteScalar(2, (8, 5)), 2)[0] == 1
    assert used(quantizer, 4)[0] > 0.95


@pytest.mark.parametrize("levels", [(8, 5, 5, 5), (7, 5, 5, 5, 5), (3,) * 8])
def test_equals_vector_quantize_pytorch(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, theirs = FiniteScalar(16, levels), reference.FSQ(list(levels), dim=16)
    _share(ours, theirs)
    x = latents(16, 200).requires_grad_()
    made, indices = theirs(x.transpose(1, 2))
    assert torch.equal(ours(x).codes[:, 0], indices.long())
    torch.testing.assert_close(ours(x).latents.transpose(1, 2), made, atol=1e-5, rtol=1e-5)
    (made**2).sum().backward()
    expected, x.grad = x.grad.clone(), None
    (ours(x).latents ** 2).sum().backward()
    torch.testing.assert_close(x.grad, expected, atol=1e-4, rtol=1e-4)


def test_residual_groups_equal_vector_quantize_pytorch() -> None:
    torch.manual_seed(0)
    theirs = reference.GroupedResidualFSQ(dim=24, levels=[5, 4, 7], num_quantizers=3, groups=2).eval()
    ours = FiniteScalar(24, (5, 4, 7), groups=2, layers=3, form="clamp").eval()
    with torch.no_grad():
        for g, group in enumerate(theirs.rvqs):
            ours.into.weight[g * 3 : g * 3 + 3] = group.project_in.weight[:, :, None]
            ours.into.bias[g * 3 : g * 3 + 3] = group.project_in.bias
            ours.out_of.weight[g * 12 : g * 12 + 12] = group.project_out.weight[:, :, None]
            ours.bias[g * 12 : g * 12 + 12] = group.project_out.bias
    x = latents(24, 200)
    made, indices = theirs(x.transpose(1, 2))  # indices: (groups, batch, frames, layers)
    assert torch.equal(ours.encode(x), indices.permute(1, 3, 0, 2).flatten(1, 2).long())
    torch.testing.assert_close(ours(x).latents.transpose(1, 2), made, atol=1e-5, rtol=1e-5)


def test_what_cannot_be_is_refused() -> None:
    for arguments, message in (
        ({"levels": (2, 5), "dim": 2}, "more levels"),
        ({"levels": (5, 5), "dim": 2, "layers": 2}, "residual layers"),
        ({"levels": (5, 5), "dim": 2, "form": "round"}, "choose from"),
        ({"levels": (5, 5), "dim": 7, "groups": 2}, "evenly"),
        ({"levels": (5, 5), "dim": 7, "projected": False}, "must be mapped"),
    ):
        with pytest.raises(ValueError, match=message):
            FiniteScalar(**arguments)


def _share(ours: FiniteScalar, theirs: reference.FSQ) -> None:
    with torch.no_grad():
        ours.into.weight.copy_(theirs.project_in.weight[:, :, None])
        ours.into.bias.copy_(theirs.project_in.bias)
        ours.out_of.weight.copy_(theirs.project_out.weight[:, :, None])
        ours.bias.copy_(theirs.project_out.bias)
