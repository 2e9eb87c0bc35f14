"""The generators of HiFi-GAN and BigVGAN as decoders: chunked equals whole, lengths, look-ahead."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.decoders.hifigan import HiFiGANDecoder


def decoder(snake: bool) -> HiFiGANDecoder:
    torch.manual_seed(0)
    return HiFiGANDecoder(5, 8, (3, 4), (7, 8), ((3, (1, 3)), (5, (1, 2))), snake=snake).eval()


@pytest.mark.parametrize("snake", [False, True])
@settings(max_examples=10)
@given(frames=st.integers(1, 40), sizes=st.lists(st.integers(0, 12), max_size=6))
def test_chunked_equals_whole(snake: bool, frames: int, sizes: list[int]) -> None:
    part = decoder(snake)
    latents = torch.randn(2, 5, frames, generator=torch.Generator().manual_seed(frames))
    with torch.no_grad():
        whole = part(latents)
        state, found, start = part.initial_state(2, latents), [], 0
        for size in sizes:
            y, state = part.step(latents[..., start : start + size], state)
            found.append(y)
            start += size
        y, state = part.step(latents[..., start:], state, final=True)
    assert whole.shape == (2, 1, frames * 12)
    assert float(whole.abs().max()) <= 1
    torch.testing.assert_close(torch.cat([*found, y], dim=-1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("snake", [False, True])
def test_the_lookahead_is_waited_for_and_no_more(snake: bool) -> None:
    part = decoder(snake)
    with torch.no_grad():
        samples, _ = part.step(torch.randn(1, 5, 60), part.initial_state(1, torch.zeros(1)))
    assert 60 * 12 - part.lookahead <= samples.shape[2] < 60 * 12 - part.lookahead + 12
