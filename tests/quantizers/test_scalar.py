"""Continuous latents as codes: even steps, noise of a step's width in training, prefixes of the channels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.quantizers.scalar import DimensionQuantizer


def make_latents(scale: float = 1.0) -> torch.Tensor:
    return torch.randn(3, 5, 40, generator=torch.Generator().manual_seed(0)) * scale * torch.arange(1.0, 6.0)[:, None]


def started(**options: float) -> DimensionQuantizer:
    quantizer = DimensionQuantizer(5, bits=6, limit=4.0, **options)
    assert not quantizer.started
    quantizer.start(make_latents())
    assert quantizer.started
    return quantizer


def test_forward_encode_and_decode_agree() -> None:
    quantizer, x = started().eval(), make_latents()
    assert quantizer.codebook_sizes == [64] * 5
    for count in range(1, 6):
        quantized = quantizer(x, count)
        codes = quantizer.encode(x, count)
        assert torch.equal(codes, quantized.codes)
        torch.testing.assert_close(quantizer.decode(codes), quantized.latents)
        # Channels without a code are zero.
        assert not quantized.latents[:, count:].any()


@settings(max_examples=30)
@given(bits=st.integers(1, 12), limit=st.floats(0.5, 8.0), scale=st.floats(0.01, 100.0))
def test_rounding_is_off_by_half_a_step_at_most_and_codes_cover_the_range(bits: int, limit: float, scale: float) -> None:
    quantizer, x = DimensionQuantizer(5, bits, limit).eval(), make_latents(scale)
    quantizer.start(x)
    bound = limit * quantizer.spread[:, None]
    within = x.abs() <= bound
    errors = (quantizer.decode(quantizer.encode(x)) - x).abs()
    half = bound / 2**bits
    assert (errors <= half * 1.001 + 1e-6 * scale).masked_select(within).all()
    # What lies outside becomes the outermost step.
    assert torch.equal(quantizer.encode(100 * bound[None]), torch.full((1, 5, 1), 2**bits - 1))
    assert torch.equal(quantizer.encode(-100 * bound[None]), torch.zeros(1, 5, 1, dtype=torch.long))


def test_noise_in_training_is_that_of_rounding_and_gradients_are_one() -> None:
    torch.manual_seed(0)
    quantizer, x = started().train(), make_latents().repeat(1, 1, 50).requires_grad_()
    found = quantizer(x).latents
    steps = 8 * quantizer.spread[:, None] / 64
    noise = (found - x).detach() / steps
    assert noise.abs().max() <= 0.501
    assert float(noise.std()) == pytest.approx(12**-0.5, rel=0.02)
    assert torch.equal(torch.autograd.grad(found.sum(), x)[0], torch.ones_like(x))
    rounding = ((started().eval()(x).latents - x).detach() / steps)[x.abs() < 3.9 * quantizer.spread[:, None]]
    assert float(rounding.std()) == pytest.approx(float(noise.std()), rel=0.1)


def test_noise_of_a_sigma_vae_has_a_scale_for_each_item() -> None:
    torch.manual_seed(0)
    quantizer = started(deviation=0.5).train()
    x = torch.zeros(400, 5, 200, requires_grad=True)
    scales = quantizer(x).latents.detach().std((1, 2))
    assert float(scales.square().mean().sqrt()) == pytest.approx(0.5, rel=0.1)
    assert scales.min() < 0.05
    assert scales.max() > 1.0


def test_the_loss_is_half_the_square_over_the_spread() -> None:
    quantizer, x = started(), make_latents()
    assert float(quantizer(x).loss) == pytest.approx(0.5, rel=1e-4)
    assert float(quantizer(2 * x, 2).loss) == pytest.approx(2.0, rel=1e-4)


def test_items_use_as_many_channels_as_they_are_given() -> None:
    for quantizer in (started().eval(), started().train()):
        found = quantizer(make_latents(), torch.tensor([1, 3, 5]))
        for item, count in enumerate((1, 3, 5)):
            assert (found.codes[item, count:] == -1).all()
            assert not found.latents[item, count:].any()
            assert found.latents[item, :count].any()


def test_sizes_that_cannot_be_are_refused() -> None:
    for arguments in ((5, 0), (5, 17), (5, 6, 0.0)):
        with pytest.raises(ValueError, match="cannot be"):
            DimensionQuantizer(*arguments)
