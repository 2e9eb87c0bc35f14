"""Beam search over residual codebooks: greedy as its narrowest case, exhaustive as its widest, never worse in between."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavelex.quantizers.beam import beam_search
from wavelex.quantizers.masked_channel import MaskedChannelRVQ
from wavelex.quantizers.residual import ResidualVQ


def books(seed: int, count: int = 3, size: int = 4, dim: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, dim, generator=generator) * 0.6**k for k in range(count)]


def errors(frames: Tensor, codes: Tensor, codebooks: list[Tensor]) -> Tensor:
    return (frames - sum(book[row] for book, row in zip(codebooks, codes.T, strict=True))).square().sum(1)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_beam_as_wide_as_the_tree_finds_the_best_there_is(seed: int) -> None:
    codebooks = books(seed)
    frames = torch.randn(7, 6, generator=torch.Generator().manual_seed(seed + 1))
    found = errors(frames, beam_search(frames, codebooks, (4**3,)), codebooks)
    every = torch.tensor(list(itertools.product(range(4), repeat=3)))
    best = torch.stack([errors(frames, row.expand(7, 3), codebooks) for row in every]).amin(0)
    torch.testing.assert_close(found, best)


@given(seed=st.integers(0, 10**6), size=st.sampled_from([3, 40]))
@settings(max_examples=30)
def test_no_frame_is_worse_for_a_wider_search(seed: int, size: int) -> None:
    codebooks = books(seed, count=5, size=size)
    frames = torch.randn(300, 6, generator=torch.Generator().manual_seed(seed + 1))
    before = torch.full((300,), float("inf"))
    for widths in ((1,), (1, 4), (1, 4, 8), (1, 4, 8, 16)):
        error = errors(frames, beam_search(frames, codebooks, widths), codebooks)
        assert (error <= before + 1e-5).all()
        before = error


def test_a_beam_of_one_is_what_encode_gives_and_masks_are_kept() -> None:
    torch.manual_seed(0)
    for quantizer in (ResidualVQ(12, 5, 32), MaskedChannelRVQ(12, 5, 32)):
        quantizer.start(torch.randn(4, 12, 400))
        x = torch.randn(2, 12, 90)
        greedy = quantizer.encode(x)
        found = beam_search(x.transpose(1, 2).reshape(-1, 12), [book.vectors for book in quantizer.codebooks], (1,))
        assert torch.equal(found.view(2, 90, 5).transpose(1, 2), greedy)
        wide = quantizer.encode(x, beams=(1, 8))
        assert (x - quantizer.decode(wide)).square().sum() < (x - quantizer.decode(greedy)).square().sum()
        assert quantizer.encode(x[:, :, :0], beams=(1, 8)).shape == (2, 5, 0)
