"""The Vocos decoder: chunk by chunk as at once, no further behind than it says, its norms those for the number of codebooks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavelex.decoders.base import Condition
from wavelex.decoders.vocos import VocosDecoder

SMALL: dict[str, Any] = {"width": 32, "hidden": 40, "blocks": 2, "hop_length": 8, "n_fft": 32}
KINDS: dict[str, dict[str, Any]] = {
    "same": {},
    "center": {"center": True},
    "causal": {"causal": True},
    "rows": {"rows": (2, 4)},
    "attention": {"attention": True},
}


def made(**arguments: Any) -> VocosDecoder:
    """With every weight random, tables of adaptive norms too."""
    torch.manual_seed(0)
    decoder = VocosDecoder(6, **{**SMALL, **arguments}).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return decoder


def latents(frames: int) -> Tensor:
    return torch.randn(2, 6, frames, generator=torch.Generator().manual_seed(frames))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(frames=st.integers(0, 30), sizes=st.lists(st.integers(0, 9), max_size=6))
def test_chunked_equals_whole(kind: str, frames: int, sizes: list[int]) -> None:
    decoder, x = made(**KINDS[kind]), latents(frames)
    with torch.no_grad():
        whole = decoder(x)
        assert whole.shape == (2, 1, 8 * frames)
        state, found, start = decoder.initial_state(2, x), [], 0
        for size in sizes:
            y, state = decoder.step(x[..., start : start + size], state)
            found.append(y)
            start += size
        found.append(decoder.step(x[..., start:], state, final=True)[0])
    torch.testing.assert_close(torch.cat(found, dim=-1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["same", "center", "causal"])
def test_it_waits_for_no_more_than_its_lookahead(kind: str) -> None:
    decoder, x = made(**KINDS[kind]), latents(40)
    with torch.no_grad():
        ready, _ = decoder.step(x, decoder.initial_state(2, x))
        before = decoder(x)
        x[..., 20:] = 9.0
        after = decoder(x)
    assert ready.shape[-1] == 40 * 8 - decoder.lookahead
    unchanged = 20 * 8 - decoder.lookahead
    torch.testing.assert_close(after[..., :unchanged], before[..., :unchanged])
    assert not torch.allclose(after[..., unchanged : unchanged + 8], before[..., unchanged : unchanged + 8])


def test_the_row_is_the_first_for_so_many_codebooks() -> None:
    decoder, x = made(rows=(0, 2, 4, 0)), latents(5)

    def decoded(codebooks: int | Tensor | None) -> Tensor:
        with torch.no_grad():
            return decoder.step(x, decoder.initial_state(2, x, Condition(codebooks=codebooks)), final=True)[0]

    few, many = decoded(2), decoded(4)
    assert not torch.allclose(few, many)
    torch.testing.assert_close(decoded(1), few)
    for codebooks in (3, 9, None):
        torch.testing.assert_close(decoded(codebooks), many)
    torch.testing.assert_close(decoded(torch.tensor([1, 3])), torch.stack([few[0], many[1]]))


def test_the_loudest_bin_is_finite() -> None:
    decoder = made()
    with torch.no_grad():
        decoder.head.linear.bias.fill_(1e9)
        assert torch.isfinite(decoder(latents(9))).all()


@pytest.mark.parametrize("frames", range(1, 7))
@pytest.mark.parametrize("kind", ["same", "center"])
def test_the_ends_are_cut_and_normalised_as_published(kind: str, frames: int) -> None:
    decoder = made(**KINDS[kind])
    spectra = torch.randn(2, 17, frames, dtype=torch.complex64, generator=torch.Generator().manual_seed(frames))
    window = torch.hann_window(32)
    total, energy = torch.zeros(2, 8 * (frames - 1) + 32), torch.zeros(8 * (frames - 1) + 32)
    for frame in range(frames):
        total[:, 8 * frame : 8 * frame + 32] += torch.fft.irfft(spectra[..., frame]) * window
        energy[8 * frame : 8 * frame + 32] += window.square()
    cut = 12 if kind == "same" else 16
    torch.testing.assert_close(decoder.istft(spectra), (total / energy)[:, cut : cut + 8 * frames])
