"""Grouped residual quantization: the contract, its order of codes, the published code's training step, an independent library's codes."""

from __future__ import annotations

import pytest
import torch
import vector_quantize_pytorch as reference
from contract import keeps_the_contract, latents, survives_storage
from designs.fixtures import load_fixture, relative_error

from wavelex.quantizers.grouped import GroupedVQ
from wavelex.quantizers.leading import LeadingVQ
from wavelex.quantizers.sim import SimVQ


def grouped(groups: int = 2, layers: int = 3) -> GroupedVQ:
    torch.manual_seed(0)
    quantizer = GroupedVQ(12, groups, layers, 32)
    with torch.no_grad():
        for index, book in enumerate(quantizer.books):
            book.weight.copy_(torch.randn_like(book.weight) * 0.6 ** (index // groups))
    return quantizer


@pytest.mark.parametrize(("groups", "layers"), [(1, 3), (2, 2), (3, 2), (4, 1)])
def test_the_contract(groups: int, layers: int) -> None:
    quantizer = grouped(groups, layers)
    keeps_the_contract(quantizer, 12)
    survives_storage(quantizer, GroupedVQ(12, groups, layers, 32), 12)


def test_each_codebook_knows_the_channels_of_its_group_alone() -> None:
    quantizer, x = grouped().eval(), latents(12)
    changed = x.clone()
    changed[:, 6:] += 1.0
    first, second = quantizer.encode(x), quantizer.encode(changed)
    assert torch.equal(first[:, ::2], second[:, ::2])
    assert not torch.equal(first[:, 1::2], second[:, 1::2])
    assert not quantizer.code_vectors(0)[:, 6:].any()
    assert not quantizer.code_vectors(5)[:, :6].any()


def test_gradient_is_the_identity_and_the_loss_is_that_of_every_layer() -> None:
    quantizer = grouped().train()
    x, wanted = latents(12).requires_grad_(True), latents(12, seed=2)
    made = quantizer(x)
    made.latents.backward(wanted, retain_graph=True)
    torch.testing.assert_close(x.grad, wanted)
    x.grad = None
    made.loss.backward()
    expected, residual = torch.zeros(3, 12, 40), x.detach()
    for layer in range(3):
        codes = made.codes[:, 2 * layer : 2 * layer + 2]
        added = sum(quantizer.code_vectors(2 * layer + group)[codes[:, group]] for group in range(2)).transpose(1, 2)
        # Mean squares over half of the channels each, averaged over six codebooks.
        expected += 0.25 * 2 * (residual - added) / (x.numel() / 2) / 6
        residual = residual - added
    torch.testing.assert_close(x.grad, expected, atol=1e-8, rtol=1e-4)


def test_a_wider_beam_is_no_worse() -> None:
    quantizer, x = grouped().eval(), latents(12, 100)
    errors = [(x - quantizer.decode(quantizer.encode(x, beams=beams))).square().sum(1) for beams in ((1,), (1, 8))]
    assert (errors[1] <= errors[0] + 1e-5).all()
    assert errors[1].sum() < 0.99 * errors[0].sum()


def test_equals_vector_quantize_pytorch_on_the_same_codebooks() -> None:
    ours, x = grouped().eval(), latents(12)
    theirs = reference.GroupedResidualVQ(
        dim=12, groups=2, num_quantizers=3, codebook_size=32, kmeans_init=False, rotation_trick=False, accept_image_fmap=False
    ).eval()
    for group, residual in enumerate(theirs.rvqs):
        for layer, each in enumerate(residual.layers):
            each._codebook.embed.data.copy_(ours.books[2 * layer + group].weight[None])
            each._codebook.initted.fill_(True)
    quantized, codes, _ = theirs(x.transpose(1, 2))
    # Theirs are (groups, batch, frames, layers).
    assert torch.equal(codes.permute(1, 3, 0, 2).flatten(1, 2), ours.encode(x))
    torch.testing.assert_close(quantized.transpose(1, 2), ours.decode(ours.encode(x)), atol=1e-5, rtol=1e-4)


def test_a_training_step_is_that_of_the_published_code() -> None:
    fixture = load_fixture("hificodec")
    theirs = fixture.tensors
    quantizer = GroupedVQ(32, 2, 2, 64).train()
    names = [f"quantizer.quantizer_modules{layer}.{group}.embedding.weight" for layer in ("", "2") for group in (0, 1)]
    with torch.no_grad():
        for book, name in zip(quantizer.books, names, strict=True):
            book.weight.copy_(fixture.state[name])
    z = theirs["train.z"].clone().requires_grad_(True)
    made = quantizer(z)
    assert torch.equal(made.codes, theirs["train.codes"])
    assert relative_error(made.latents.detach(), theirs["train.quantized"]) < 1e-5
    torch.testing.assert_close(made.loss, theirs["train.loss"])
    made.latents.backward(torch.linspace(-1, 1, z.numel()).view_as(z), retain_graph=True)
    torch.testing.assert_close(z.grad, theirs["train.grad_z_from_quantized"])
    z.grad = None
    made.loss.backward()
    torch.testing.assert_close(quantizer.books[0].weight.grad, theirs["train.grad_codebook0_from_loss"])
    # The published gradient and what it lacks: the commitment of the second layer.
    left = z.detach() - quantizer.decode(made.codes)
    torch.testing.assert_close(z.grad, theirs["train.grad_z_from_loss"] + 0.25 * 2 * left / z.numel() / 2)


def test_uneven_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="13 channels are not shared evenly by 2 groups"):
        GroupedVQ(13)


def test_codebooks_that_only_train_teach_the_encoder_and_are_not_coded() -> None:
    torch.manual_seed(0)
    quantizer = LeadingVQ(SimVQ(12, 3, 32), kept=2)
    keeps_the_contract(quantizer, 12)
    survives_storage(quantizer, LeadingVQ(SimVQ(12, 3, 32), kept=2), 12)
    x = latents(12)
    assert torch.equal(quantizer.encode(x), quantizer.inner.encode(x, 2))
    assert len(quantizer.usage()) == 2
    made = quantizer.train()(x.requires_grad_(True))
    made.loss.backward()
    assert all(book.projector.weight.grad.abs().sum() for book in quantizer.inner.books)
    with pytest.raises(ValueError, match="4 codebooks cannot be kept of 3"):
        LeadingVQ(SimVQ(12, 3, 32), kept=4)
