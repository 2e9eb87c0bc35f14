"""Binary codes: corners of a cube or a sphere, the exact entropies of their soft codes, and agreement with independent code."""

from __future__ import annotations

import pytest
import torch
import vector_quantize_pytorch as reference
from contract import Largest, keeps_the_contract, latents, survives_storage, used

from wavelex.quantizers.binary import Binary

KINDS = {
    "spherical": lambda: Binary(13, 13),
    "free": lambda: Binary(10, 10, form="free"),
    "mapped": lambda: Binary(24, 6),
    "groups": lambda: Binary(24, 5, groups=3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = KINDS[kind]()
    keeps_the_contract(quantizer, quantizer.dim)
    survives_storage(quantizer, KINDS[kind](), quantizer.dim)


def test_codes_are_the_nearest_corners_the_first_channel_highest() -> None:
    quantizer = Binary(5, 5)
    x = latents(5, 300)
    unit = torch.nn.functional.normalize(x, dim=1)
    vectors = quantizer.code_vectors(0)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(32))
    nearest = torch.cdist(unit.transpose(1, 2).flatten(0, 1), vectors).argmin(1)
    assert torch.equal(quantizer.encode(x)[:, 0].flatten(), nearest)
    one = torch.tensor([1.0, -1, -1, -1, -1])[None, :, None]
    assert quantizer.encode(one).item() == 16


@pytest.mark.parametrize("form", ["spherical", "free"])
def test_the_gradient_passes_straight_through_the_signs(form: str) -> None:
    quantizer = Binary(6, 6, form=form)
    x, gradient = latents(6).requires_grad_(), latents(6, seed=2)
    (quantizer(x).latents * gradient).sum().backward()
    ours, x.grad = x.grad.clone(), None
    ((torch.nn.functional.normalize(x, dim=1) if form == "spherical" else x) * gradient).sum().backward()
    torch.testing.assert_close(ours, x.grad)


@pytest.mark.parametrize("spherical", [True, False])
def test_codes_and_loss_equal_vector_quantize_pytorch(spherical: bool) -> None:
    theirs = reference.LFQ(dim=8, codebook_size=256, spherical=spherical, entropy_loss_weight=0.1).train()
    ours = Binary(8, 8, form="spherical" if spherical else "free").train()
    # Undecided enough that the entropies are neither 0 nor their maximum.
    x = latents(8, 100, spread=1.0 if spherical else 0.01).requires_grad_()
    made, indices, loss = theirs(x.transpose(1, 2))
    found = ours(x)
    assert torch.equal(found.codes[:, 0], indices)
    torch.testing.assert_close(found.latents.transpose(1, 2), made)
    torch.testing.assert_close(found.loss, loss, atol=2e-3, rtol=1e-3)
    loss.backward()
    expected, x.grad = x.grad.clone(), None
    ours(x).loss.backward()
    assert torch.nn.functional.cosine_similarity(x.grad.flatten(), expected.flatten(), dim=0) > 0.999


def test_many_bits_are_taken_in_blocks_that_bound_the_entropy_from_above() -> None:
    quantizer = Binary(12, 12, form="free", temperature=1.0)
    x = latents(12, 200)
    x[:, 6:] = x[:, :6] + 0.1 * x[:, 6:]
    p = (x.transpose(1, 2).flatten(0, 1) * 4).sigmoid()
    joint = torch.ones(len(p), 1)
    for one in p.unbind(1):
        joint = torch.cat([joint * (1 - one)[:, None], joint * one[:, None]], dim=1)
    mean = joint.mean(0)
    exact = -(mean * mean.log()).sum()
    assert exact <= float(quantizer._variety(p)) <= 12 * 0.6932
    torch.testing.assert_close(-(joint * joint.clamp(min=1e-30).log()).sum(1).mean(), quantizer_sure(quantizer, x), atol=1e-3, rtol=1e-4)


def quantizer_sure(quantizer: Binary, x: torch.Tensor) -> torch.Tensor:
    """The first of the two entropies: the loss without diversity."""
    quantizer.diversity = 0.0
    return quantizer(x).loss / quantizer.entropy


def test_the_loss_revives_a_bit_that_never_changes() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv1d(6, 6, 1)
    with torch.no_grad():
        layer.bias[2] = 3.0
    quantizer, x = Binary(6, 6, temperature=0.3), latents(6, 500)
    assert len((quantizer.encode(layer(x)) & 8).unique()) == 1
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        quantizer(layer(x)).loss.backward()
        optimizer.step()
    share = float(((quantizer.encode(layer(x)) & 8) > 0).float().mean())
    assert 0.35 < share < 0.65


def test_items_that_lack_a_group_do_not_count_in_its_entropy() -> None:
    quantizer = Binary(10, 5, groups=2)
    x = latents(10)
    other = x.clone()
    other[0, 5:] = 7.0
    counts = torch.tensor([1, 2, 2])
    torch.testing.assert_close(quantizer(x, counts).loss, quantizer(other, counts).loss)
    assert quantizer(x, 2).loss != quantizer(other, 2).loss
    assert torch.isfinite(quantizer(x, 1).loss)


def test_use_is_full_and_no_table_is_made() -> None:
    assert used(Binary(8, 8), 8)[0] == 1
    quantizer = Binary(16, 16).eval()
    assert used(quantizer, 16)[0] > 0.25
    with Largest() as largest:
        quantizer.encode(latents(16, 500))
    assert largest.elements <= 3 * 500 * 16
