"""Split residual quantization: two quantizers over the same latents, whose codes are one list and whose vectors are added."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.quantizers.split import SplitRVQ


def started(semantic: int = 1) -> SplitRVQ:
    torch.manual_seed(0)
    quantizer = SplitRVQ(12, codebooks=5, size=32, inner=6, semantic=semantic)
    quantizer.start(torch.randn(4, 12, 400))
    return quantizer


def make_latents(frames: int = 40, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 12, frames, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("semantic", [1, 2])
def test_forward_encode_and_decode_agree(semantic: int) -> None:
    quantizer, x = started(semantic).eval(), make_latents()
    assert quantizer.started
    assert quantizer.codebook_sizes == [32] * 5
    for count in range(1, 6):
        quantized = quantizer(x, count)
        codes = quantizer.encode(x, count)
        assert torch.equal(codes, quantized.codes)
        assert torch.equal(codes, quantizer.encode(x)[:, :count])
        torch.testing.assert_close(quantizer.decode(codes), quantized.latents)


def test_both_parts_read_the_same_latents() -> None:
    quantizer, x = started().eval(), make_latents()
    expected = quantizer.encode(x)
    with torch.no_grad():
        quantizer.semantic.rvq.codebooks[0].total.add_(1)
    changed = quantizer.encode(x)
    assert not torch.equal(changed[:, 0], expected[:, 0])
    assert torch.equal(changed[:, 1:], expected[:, 1:])


def test_what_the_parts_give_is_added() -> None:
    quantizer, codes = started().eval(), started().eval().encode(make_latents())
    nothing = torch.full_like(codes, -1)
    first, rest = nothing.clone(), nothing.clone()
    first[:, 0], rest[:, 1:] = codes[:, 0], codes[:, 1:]
    assert not quantizer.decode(nothing).any()
    torch.testing.assert_close(quantizer.decode(first) + quantizer.decode(rest), quantizer.decode(codes))


def test_the_gradient_is_that_of_the_linear_maps_alone() -> None:
    quantizer, x = started(), make_latents().requires_grad_()
    weights = torch.randn(3, 12, 40)
    found = torch.autograd.grad((quantizer(x).latents * weights).sum(), x)[0]
    maps = sum(part.project_out.weight @ part.project_in.weight for part in (quantizer.semantic, quantizer.acoustic))
    torch.testing.assert_close(found, torch.einsum("ij,bit->bjt", maps, weights))


@settings(max_examples=20)
@given(limits=st.lists(st.integers(1, 5), min_size=3, max_size=3))
def test_items_use_as_many_codebooks_as_they_are_given(limits: list[int]) -> None:
    quantizer, x = started().eval(), make_latents()
    together = quantizer(x, torch.tensor(limits))
    assert together.codes.shape[1] == max(limits)
    for item, count in enumerate(limits):
        alone = quantizer(x[item : item + 1], count)
        assert torch.equal(together.codes[item, :count], alone.codes[0])
        assert (together.codes[item, count:] == -1).all()
        torch.testing.assert_close(together.latents[item], alone.latents[0])


def test_the_loss_reaches_both_parts_and_codebooks_learn() -> None:
    quantizer, x = started().train(), make_latents()
    before = [book.total.clone() for part in (quantizer.semantic, quantizer.acoustic) for book in part.rvq.codebooks]
    quantizer(x).loss.backward()
    for part in (quantizer.semantic, quantizer.acoustic):
        assert part.project_in.weight.grad is not None
        assert part.project_in.weight.grad.abs().sum() > 0
    after = [book.total for part in (quantizer.semantic, quantizer.acoustic) for book in part.rvq.codebooks]
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert len(quantizer.usage()) == 5


def test_one_part_alone_is_refused() -> None:
    for semantic in (0, 5):
        with pytest.raises(ValueError, match="both parts need"):
            SplitRVQ(12, codebooks=5, semantic=semantic)
