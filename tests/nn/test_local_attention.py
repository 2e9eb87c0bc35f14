"""Attention within windows."""

from __future__ import annotations

import pytest
import torch
from chunks import chunked
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.nn.local_attention import LocalAttention


def layer() -> LocalAttention:
    torch.manual_seed(0)
    return LocalAttention(8, window=5, head_dim=4).eval()


@settings(max_examples=30)
@given(length=st.integers(0, 40), sizes=st.lists(st.integers(0, 12), max_size=6))
def test_chunked_equals_whole(length: int, sizes: list[int]) -> None:
    x = torch.randn(2, 8, length, generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        torch.testing.assert_close(chunked(layer(), x, sizes), layer()(x))


def test_a_step_sees_all_of_its_window_and_nothing_else() -> None:
    x = torch.randn(1, 8, 13)
    with torch.no_grad():
        before = layer()(x)
        for changed, seen in ((2, range(5)), (7, range(5, 10)), (12, range(10, 13))):
            other = x.clone()
            other[:, 0, changed] += 1
            moved = (layer()(other) - before).abs().amax(dim=(0, 1)) > 1e-6
            assert moved.nonzero()[:, 0].tolist() == list(seen)


def test_places_in_the_window_matter() -> None:
    x = torch.randn(1, 8, 5)
    with torch.no_grad():
        assert not torch.allclose(layer()(x.flip(-1)).flip(-1), layer()(x), atol=1e-4)


@pytest.mark.parametrize("head_dim", [3, 5])
def test_heads_that_do_not_fit_are_refused(head_dim: int) -> None:
    with pytest.raises(ValueError, match="heads"):
        LocalAttention(8 if head_dim == 3 else 15, 4, head_dim)
