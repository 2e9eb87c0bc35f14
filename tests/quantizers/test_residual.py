"""Residual quantization: gradients, learning only when it should, prefixes, and agreement with an independent library."""

from __future__ import annotations

import pytest
import torch
import vector_quantize_pytorch as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.quantizers.masked_channel import MaskedChannelRVQ
from wavelex.quantizers.residual import ResidualVQ

KINDS = [ResidualVQ, MaskedChannelRVQ]


def started(kind: type[ResidualVQ], dim: int = 12, codebooks: int = 5, size: int = 32) -> ResidualVQ:
    torch.manual_seed(0)
    quantizer = kind(dim, codebooks, size)
    quantizer.start(torch.randn(4, dim, 400))
    return quantizer


@pytest.mark.parametrize("kind", KINDS)
def test_forward_encode_and_decode_agree(kind: type[ResidualVQ]) -> None:
    quantizer = started(kind).eval()
    x = torch.randn(3, 12, 40)
    for count in range(1, 6):
        quantized = quantizer(x, count)
        codes = quantizer.encode(x, count)
        assert torch.equal(codes, quantized.codes)
        torch.testing.assert_close(quantizer.decode(codes), quantized.latents)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_of_a_training_step_are_those_of_encode(kind: type[ResidualVQ]) -> None:
    quantizer = started(kind)
    x = torch.randn(3, 12, 40)
    expected = quantizer.eval().encode(x)
    assert torch.equal(quantizer.train()(x).codes, expected)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(count=st.integers(1, 5), seed=st.integers(0, 1000))
def test_a_prefix_of_the_codes_is_the_code_at_that_rate(kind: type[ResidualVQ], count: int, seed: int) -> None:
    quantizer = started(kind).eval()
    x = torch.randn(1, 12, 7, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(quantizer.encode(x)[:, :count], quantizer.encode(x, count))


def test_each_codebook_lowers_the_error() -> None:
    quantizer = started(ResidualVQ).eval()
    x = torch.randn(4, 12, 100)
    errors = [float((x - quantizer.decode(quantizer.encode(x, n))).square().mean()) for n in range(1, 6)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_straight_through_gradient_is_one_at_any_depth(kind: type[ResidualVQ]) -> None:
    quantizer = started(kind).eval()
    for count in (1, 3, 5):
        x = torch.randn(2, 12, 10, requires_grad=True)
        weights = torch.randn(2, 12, 10)
        (quantizer(x, count).latents * weights).sum().backward()
        torch.testing.assert_close(x.grad, weights)


@pytest.mark.parametrize(("groups", "times"), [(0, (1, 4, 8)), (3, (1, 2, 6))])
def test_the_summed_gradient_counts_the_layers_that_see_all_that_is_left(groups: int, times: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    quantizer = MaskedChannelRVQ(12, 8, 32, groups, "summed") if groups else ResidualVQ(12, 8, 32, "summed")
    quantizer.start(torch.randn(4, 12, 400))
    for count, expected in zip((3 if groups else 1, 4, 8), times, strict=True):
        x = torch.randn(2, 12, 10, requires_grad=True)
        weights = torch.randn(2, 12, 10)
        quantized = quantizer.eval()(x, count)
        (quantized.latents * weights).sum().backward()
        torch.testing.assert_close(x.grad, expected * weights)
        torch.testing.assert_close(quantized.latents, quantizer.decode(quantized.codes), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_commitment_of_every_layer_reaches_the_encoder(kind: type[ResidualVQ]) -> None:
    """The gradient of the loss is the mean of all layers' own gradients, 2 (input - code) / elements each."""
    quantizer = started(kind).eval()
    x = torch.randn(2, 12, 10, requires_grad=True)
    quantized = quantizer(x)
    quantized.loss.backward()
    expected, residual = torch.zeros_like(x), x.detach()
    for index in range(5):
        mask = quantizer.channel_mask(index)
        seen = residual if mask is None else residual * mask[:, None]
        vectors = quantizer.codebooks[index].lookup(quantized.codes[:, index]).transpose(1, 2)
        gradient = 2 * (seen - vectors) / x.numel() / 5
        assert float(gradient.abs().max()) > 0
        expected += gradient if mask is None else gradient * mask[:, None]
        residual = residual - vectors
    torch.testing.assert_close(x.grad, expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("mode", ["eval", "no_grad"])
def test_codebooks_do_not_learn_without_training(mode: str) -> None:
    quantizer = started(ResidualVQ)
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    x = torch.randn(2, 12, 50)
    if mode == "eval":
        quantizer.eval()(x)
    else:
        with torch.no_grad():
            quantizer.train()(x)
    quantizer.train().encode(x)
    assert all(torch.equal(before[name], value) for name, value in quantizer.state_dict().items())
    quantizer.train()(x)
    assert not torch.equal(before["layers.0.total"], quantizer.state_dict()["layers.0.total"])


def test_dropout_by_prefix_codes_each_item_at_its_own_depth() -> None:
    quantizer = started(ResidualVQ).eval()
    x = torch.randn(3, 12, 20)
    quantized = quantizer(x, torch.tensor([1, 3, 5]))
    for item, count in enumerate([1, 3, 5]):
        alone = quantizer(x[item : item + 1], count)
        torch.testing.assert_close(quantized.latents[item], alone.latents[0])
        assert torch.equal(quantized.codes[item, :count], alone.codes[0])
        assert (quantized.codes[item, count:] == -1).all()


def test_items_that_do_not_use_a_codebook_do_not_teach_it() -> None:
    quantizer = started(ResidualVQ).train()
    last = quantizer.state_dict()["layers.4.total"].clone()
    quantizer(torch.randn(2, 12, 50), torch.tensor([2, 4]))
    assert torch.equal(last, quantizer.state_dict()["layers.4.total"])


def test_first_training_batch_starts_the_codebooks() -> None:
    torch.manual_seed(0)
    quantizer = ResidualVQ(12, 3, 32).train()
    x = torch.randn(4, 12, 200)
    quantizer(x)
    assert all(bool(book.started) for book in quantizer.codebooks)
    assert len(quantizer.encode(x)[:, 0].unique()) > 25


@pytest.mark.parametrize("count", [0, 6, -1])
def test_counts_that_do_not_exist_are_refused(count: int) -> None:
    quantizer = started(ResidualVQ)
    with pytest.raises(ValueError, match="1 to 5"):
        quantizer.encode(torch.randn(1, 12, 3), count)


def test_masked_layers_see_disjoint_channels() -> None:
    quantizer = started(MaskedChannelRVQ)
    masks = [quantizer.channel_mask(i) for i in range(3)]
    assert torch.equal(sum(masks), torch.ones(12))
    assert quantizer.channel_mask(3) is None
    quantizer.train()
    for _ in range(20):
        quantizer(torch.randn(4, 12, 100))
    for index, mask in enumerate(masks):
        outside = quantizer.codebooks[index].vectors * (1 - mask)
        assert float(outside.abs().max()) == 0
    codes = quantizer.eval().encode(torch.randn(1, 12, 9))
    x = torch.randn(1, 12, 9)
    changed = x.clone()
    changed[:, 4:] += 1.0
    assert torch.equal(quantizer.encode(x, 1), quantizer.encode(changed, 1))
    assert codes.shape == (1, 5, 9)


def test_equals_vector_quantize_pytorch_on_the_same_state() -> None:
    ours = started(ResidualVQ).eval()
    theirs = reference.ResidualVQ(dim=12, codebook_size=32, num_quantizers=5, kmeans_init=False, rotation_trick=False).eval()
    for book, layer in zip(ours.codebooks, theirs.layers, strict=True):
        layer._codebook.embed.data.copy_(book.vectors[None])
        layer._codebook.initted.fill_(True)
    x = torch.randn(3, 12, 40)
    quantized, indices, _ = theirs(x.transpose(1, 2))
    assert torch.equal(indices.transpose(1, 2), ours.encode(x))
    torch.testing.assert_close(quantized.transpose(1, 2), ours.decode(ours.encode(x)), atol=1e-5, rtol=1e-4)


def test_learns_as_vector_quantize_pytorch_does() -> None:
    ours = started(ResidualVQ, codebooks=1).train()
    book = ours.codebooks[0]
    book.dead_below = 0.0
    theirs = reference.VectorQuantize(
        dim=12, codebook_size=32, decay=0.99, kmeans_init=False, threshold_ema_dead_code=0, rotation_trick=False
    )
    theirs.train()
    theirs._codebook.embed.data.copy_(book.vectors[None])
    theirs._codebook.embed_avg.data.copy_(book.total[None])
    theirs._codebook.cluster_size.data.copy_(book.usage[None])
    theirs._codebook.initted.fill_(True)
    for seed in range(5):
        x = torch.randn(3, 12, 200, generator=torch.Generator().manual_seed(seed))
        ours(x)
        theirs(x.transpose(1, 2))
    torch.testing.assert_close(theirs._codebook.embed[0], book.vectors, atol=1e-3, rtol=1e-3)
