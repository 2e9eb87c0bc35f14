"""The snake and its form without aliases."""

from __future__ import annotations

import pytest
import torch
from chunks import chunked
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.nn.snake import AliasFreeSnake, Snake, low_pass


def wave(cycles: float, length: int = 400) -> torch.Tensor:
    return torch.sin(2 * torch.pi * cycles * torch.arange(length) / length)[None, None]


def test_the_snake_is_the_formula() -> None:
    layer, x = Snake(2), torch.randn(3, 2, 5)
    torch.nn.init.uniform_(layer.alpha, 0.5, 2)
    alpha = layer.alpha[None, :, None]
    torch.testing.assert_close(layer(x), x + torch.sin(alpha * x) ** 2 / alpha)


@settings(max_examples=30)
@given(length=st.integers(0, 60), sizes=st.lists(st.integers(0, 25), max_size=6))
def test_chunked_equals_whole(length: int, sizes: list[int]) -> None:
    layer, x = AliasFreeSnake(3), torch.randn(2, 3, length, generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        torch.testing.assert_close(chunked(layer, x, sizes), layer(x))


def test_it_waits_for_no_more_than_its_lookahead() -> None:
    layer, x = AliasFreeSnake(1), torch.randn(1, 1, 50)
    y, _ = layer.step(x, layer.initial_state(1, x))
    assert y.shape[-1] >= 50 - layer.lookahead


@torch.no_grad()
def test_a_slow_wave_is_bent_as_by_the_snake_and_overtones_do_not_fold_back() -> None:
    smooth, plain = AliasFreeSnake(1), Snake(1)
    slow = wave(4)
    torch.testing.assert_close(smooth(slow)[..., 20:-20], plain(slow)[..., 20:-20], atol=0.01, rtol=0)
    # The square of 130 cycles has 260, which 400 steps cannot hold: they would be heard as 140.
    fast = wave(130)
    folded = [float(torch.fft.rfft(layer(fast)[0, 0])[140].abs()) for layer in (plain, smooth)]
    assert folded[1] < 0.3 * folded[0]


def test_the_filter_passes_the_mean_and_stops_the_upper_half() -> None:
    response = torch.fft.rfft(low_pass(), 480).abs()
    assert float(response[0]) == pytest.approx(1, abs=1e-6)
    assert float(response[120]) == pytest.approx(0.5, abs=0.05)
    assert float(response[200:].max()) < 0.02
