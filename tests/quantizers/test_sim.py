"""SimVQ: one step moves the whole codebook, and agreement with independent code."""

from __future__ import annotations

import pytest
import torch
import vector_quantize_pytorch as reference
from contract import Largest, keeps_the_contract, latents, survives_storage, used

from wavelex.quantizers.books import nearest_of_many
from wavelex.quantizers.gradients import with_gradient
from wavelex.quantizers.sim import SimVQ

KINDS = {
    "one": lambda: SimVQ(12, size=64),
    "residual": lambda: SimVQ(12, 3, 64),
    "with bias": lambda: SimVQ(12, 2, 64, bias=True, gradient="straight"),
    "perceptron": lambda: SimVQ(12, 2, 64, hidden=24),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = KINDS[kind]()
    keeps_the_contract(quantizer, 12)
    survives_storage(quantizer, KINDS[kind](), 12)


@pytest.mark.parametrize("gradient", ["straight", "rotate"])
def test_the_gradient_is_as_declared_and_turns_once(gradient: str) -> None:
    torch.manual_seed(0)
    quantizer = SimVQ(12, 3, 64, gradient)
    x, wanted = latents(12).requires_grad_(), latents(12, seed=2)
    made = quantizer(x)
    (made.latents * wanted).sum().backward()
    ours, x.grad = x.grad.clone(), None
    (with_gradient(x, quantizer.decode(made.codes).detach(), gradient) * wanted).sum().backward()
    torch.testing.assert_close(ours, x.grad)
    assert all(p.grad is None for p in quantizer.parameters())


def test_one_step_moves_every_vector_and_leaves_the_base() -> None:
    torch.manual_seed(0)
    quantizer = SimVQ(12, size=64).train()
    book = quantizer.books[0]
    before, base = book.vectors.detach().clone(), book.base.clone()
    made = quantizer(latents(12, 1, 1))
    made.loss.backward()
    torch.optim.SGD(quantizer.parameters(), 0.1).step()
    with torch.no_grad():
        moved = (book.vectors - before).norm(dim=1)
    assert len(made.codes.unique()) == 1
    assert int((moved > 0).sum()) == 64
    assert torch.equal(book.base, base)


def test_kept_vectors_are_those_of_the_weights_as_they_are_now() -> None:
    torch.manual_seed(0)
    quantizer = SimVQ(12, size=64)
    x = latents(12)
    quantizer.encode(x)
    other = SimVQ(12, size=64)
    quantizer.load_state_dict(other.state_dict())
    assert torch.equal(quantizer.encode(x), other.encode(x))
    with torch.no_grad():
        quantizer.books[0].projector.weight.mul_(-1)
    with torch.no_grad():
        torch.testing.assert_close(quantizer.books[0].vectors, -other.books[0].vectors)
    with torch.inference_mode():
        loaded = SimVQ(12, size=64)
        before = loaded.encode(x)
        loaded.load_state_dict(other.state_dict())
        assert torch.equal(loaded.encode(x), other.encode(x))
        assert not torch.equal(loaded.encode(x), before)


@pytest.mark.parametrize("gradient", ["straight", "rotate"])
def test_equals_vector_quantize_pytorch(gradient: str) -> None:
    torch.manual_seed(0)
    theirs = reference.SimVQ(dim=12, codebook_size=64, rotation_trick=gradient == "rotate")
    ours = SimVQ(12, size=64, gradient=gradient)
    with torch.no_grad():
        ours.books[0].base.copy_(theirs.frozen_codebook)
        ours.books[0].projector.weight.copy_(theirs.code_transform.weight)
    x, wanted = latents(12).requires_grad_(), latents(12, seed=2)
    made, indices, loss = theirs(x.transpose(1, 2))
    ((made.transpose(1, 2) * wanted).sum() + loss).backward()
    expected, x.grad = x.grad.clone(), None
    found = ours(x)
    ((found.latents * wanted).sum() + found.loss).backward()
    assert torch.equal(found.codes[:, 0], indices)
    torch.testing.assert_close(found.latents.transpose(1, 2), made, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.loss, loss)
    torch.testing.assert_close(x.grad, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.books[0].projector.weight.grad, theirs.code_transform.weight.grad, atol=1e-6, rtol=1e-4)


def test_a_wider_beam_is_no_worse() -> None:
    torch.manual_seed(0)
    quantizer, x = SimVQ(12, 3, 64).eval(), latents(12, 100)
    greedy, wide = (quantizer.decode(quantizer.encode(x, beams=beams)) for beams in ((1,), (1, 8)))
    assert ((x - wide).square().sum(1) <= (x - greedy).square().sum(1) + 1e-5).all()
    assert (x - wide).square().sum() < (x - greedy).square().sum()


def test_use_is_followed_in_training_and_large_on_random_latents() -> None:
    torch.manual_seed(0)
    quantizer = SimVQ(12, size=256)
    assert used(quantizer, 12)[0] > 0.5
    quantizer.train()(latents(12, 1000))
    (counts,) = quantizer.usage()
    assert counts.std() > 0
    assert float(counts.sum()) == pytest.approx(0.99 * 256 + 0.01 * 3000)
    residual = SimVQ(12, 2, 64).train()
    residual(latents(12), torch.tensor([1, 1, 1]))
    assert residual.usage()[0].std() > 0
    assert residual.usage()[1].std() == 0


def test_large_codebooks_are_searched_in_blocks_of_matrix_products() -> None:
    torch.manual_seed(0)
    rows, vectors = torch.randn(3000, 8), torch.randn(20_000, 8)
    with Largest() as largest:
        found = nearest_of_many(rows, vectors)
    assert torch.equal(found, torch.cat([torch.cdist(piece, vectors).argmin(1) for piece in rows.split(500)]))
    assert largest.elements <= 2048 * 8192


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="straight, rotate"):
        SimVQ(12, gradient="sideways")
