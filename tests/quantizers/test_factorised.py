"""Factorised and multi-scale quantization: prefixes, sums of codes, gradients, dropout, and agreement with an independent library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import vector_quantize_pytorch as reference
from contract import keeps_the_contract
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from wavelex.quantizers.base import Quantizer
from wavelex.quantizers.factorised import FactorisedVQ
from wavelex.quantizers.multiscale import MultiScaleVQ

DIM = 12


def factorised() -> FactorisedVQ:
    return FactorisedVQ(DIM, codebooks=7, size=32, code_dim=4)


def multiscale() -> MultiScaleVQ:
    """Seven slots a superframe too: one every 4 frames, two every 2, four every frame."""
    return MultiScaleVQ(3, (4, 2, 1), size=32, code_dim=4)


KINDS = [factorised, multiscale]
Make = Callable[[], Quantizer]


def made(kind: Make) -> Quantizer:
    torch.manual_seed(0)
    return kind().eval()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_quantizer(kind: Make) -> None:
    quantizer = made(kind)
    assert quantizer.additive
    keeps_the_contract(quantizer, DIM)


@pytest.mark.parametrize("kind", KINDS)
def test_wider_beams_find_the_same_codes(kind: Make) -> None:
    quantizer, x = made(kind), torch.randn(3, DIM, 40)
    assert torch.equal(quantizer.encode(x, beams=(1, 4)), quantizer.encode(x))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(count=st.integers(1, 7), seed=st.integers(0, 1000))
def test_a_prefix_of_the_codes_is_the_code_at_that_rate(kind: Make, count: int, seed: int) -> None:
    quantizer = made(kind)
    x = torch.randn(1, DIM, 7, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(quantizer.encode(x)[:, :count], quantizer.encode(x, count))


@pytest.mark.parametrize("kind", KINDS)
def test_latents_are_the_sum_of_what_codes_add_whichever_are_there(kind: Make) -> None:
    quantizer = made(kind)
    codes = torch.randint(-1, 32, (2, 7, 9))
    added = [nn.functional.embedding(row.clamp(min=0), quantizer.code_vectors(book)) for book, row in enumerate(codes.unbind(1))]
    total = sum(vectors * (row >= 0)[..., None] for vectors, row in zip(added, codes.unbind(1), strict=True))
    torch.testing.assert_close(quantizer.decode(codes), total.transpose(1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_a_codebook_that_an_item_does_not_use_counts_nothing_in_the_loss(kind: Make) -> None:
    quantizer, x = made(kind), torch.randn(3, DIM, 20)
    losses = [float(quantizer(x[item : item + 1], count).loss.detach()) for item, count in enumerate([1, 3, 6])]
    together = float(quantizer(x, torch.tensor([1, 3, 6])).loss.detach())
    assert together == pytest.approx(sum(losses) / 3, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_encoder_and_everything_that_is_learned(kind: Make) -> None:
    quantizer, x = made(kind).train(), torch.randn(2, DIM, 30, requires_grad=True)
    quantized = quantizer(x)
    (quantized.latents.square().mean() + quantized.loss).backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=(1, 2)) > 0).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in quantizer.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_codes_are_those_of_the_directions(kind: Make) -> None:
    """Longer latents without a bias, and longer vectors, are coded alike."""
    quantizer, x = made(kind), torch.randn(2, DIM, 30)
    with torch.no_grad():
        for name, parameter in quantizer.named_parameters():
            if name.endswith("down.bias"):
                parameter.zero_()
        codes = quantizer.encode(x, 1)
        assert torch.equal(quantizer.encode(3 * x, 1), codes)
        quantizer.get_parameter("layers.0.vectors").mul_(torch.rand(32, 1) + 0.5)
        assert torch.equal(quantizer.encode(x, 1), codes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_survives_saving(kind: Make, tmp_path: Path) -> None:
    quantizer, x = made(kind), torch.randn(2, DIM, 30)
    save_file(quantizer.state_dict(), tmp_path / "quantizer.safetensors")
    again = kind().eval()
    again.load_state_dict(load_file(tmp_path / "quantizer.safetensors"))
    assert torch.equal(again.encode(x), quantizer.encode(x))
    assert torch.equal(again.decode(again.encode(x)), quantizer.decode(quantizer.encode(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_coded_each_by_itself(kind: Make) -> None:
    quantizer, x = made(kind), torch.randn(2, DIM, 30)
    order = torch.randperm(30)
    assert torch.equal(quantizer.encode(x)[..., order], quantizer.encode(x[..., order]))


def test_the_layout_has_the_coarsest_track_first() -> None:
    layout = multiscale().layout
    assert layout.superframe == 4
    assert [(track.frames, track.sizes) for track in layout.tracks] == [(1, (32,)), (2, (32,)), (4, (32,))]
    assert MultiScaleVQ(3, (4, 2, 1), superframe=8).codebook_sizes == [4096] * 14
    with pytest.raises(ValueError, match="do not divide"):
        MultiScaleVQ(3, (4, 2), superframe=6)


def test_a_coarse_code_stands_for_all_frames_of_its_period() -> None:
    quantizer = made(multiscale)
    frames = quantizer.decode(torch.randint(0, 32, (1, 1, 5))).reshape(4, 3, 5)
    assert all(torch.equal(frames[0], frame) for frame in frames)


def test_codes_equal_those_of_vector_quantize_pytorch() -> None:
    torch.manual_seed(0)
    ours = FactorisedVQ(DIM, codebooks=1, size=32, code_dim=4).eval()
    theirs = reference.VectorQuantize(DIM, 32, codebook_dim=4, use_cosine_sim=True, rotation_trick=False).eval()
    book = ours.codebooks[0]
    with torch.no_grad():
        # It keeps unit vectors only.
        book.vectors.copy_(nn.functional.normalize(book.vectors))
        theirs.project_in.load_state_dict(book.down.state_dict())
        theirs.project_out.load_state_dict(book.up.state_dict())
        theirs._codebook.embed.copy_(book.vectors[None])
        x = torch.randn(3, DIM, 40)
        quantized, codes, _ = theirs(x.transpose(1, 2))
        assert torch.equal(codes, ours.encode(x)[:, 0])
        torch.testing.assert_close(quantized.transpose(1, 2), ours(x).latents)
