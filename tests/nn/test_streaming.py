"""Every layer: chunked equals whole, for any length, any chunking, and two interleaved sessions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from wavelex.decoders.fourier import FourierDecoder
from wavelex.encoders.spectral import SpectralEncoder
from wavelex.nn.conv import Conv1d, ConvTranspose1d
from wavelex.nn.convnext import ConvNeXtBlock, Pointwise
from wavelex.nn.stft import ISTFT, STFT, overlap_add
from wavelex.nn.streaming import Chain, Streaming, Window

torch.manual_seed(0)
LAYERS: dict[str, tuple[Streaming, tuple[int, ...]]] = {
    "causal conv": (Conv1d(3, 5, 7), (3,)),
    "conv with look-ahead": (Conv1d(3, 5, 7, lookahead=3), (3,)),
    "dilated conv": (Conv1d(4, 4, 3, dilation=4, lookahead=2, groups=4), (4,)),
    "strided conv": (Conv1d(3, 5, 8, stride=4), (3,)),
    "strided conv with look-ahead": (Conv1d(3, 5, 9, stride=4, lookahead=2), (3,)),
    "transposed conv": (ConvTranspose1d(3, 5, 8, 4), (3,)),
    "trimmed transposed conv": (ConvTranspose1d(3, 5, 9, 4, trim=3), (3,)),
    "convnext": (ConvNeXtBlock(6, 12), (6,)),
    "dilated convnext with look-ahead": (ConvNeXtBlock(6, 12, dilation=2, lookahead=2), (6,)),
    "stft": (STFT(32, 8), ()),
    "stft with look-ahead": (STFT(32, 8, lookahead=20), ()),
    "istft": (ISTFT(32, 8, trim=12), (17,)),
    "chain": (Chain(Pointwise(3, 6), ConvNeXtBlock(6, 12, lookahead=1), Conv1d(6, 4, 4, stride=2), Pointwise(4, 2, norm=True)), (3,)),
    "encoder": (SpectralEncoder(4, 8, 12, [(1, 1), (2, 0)], hop_length=16, n_fft=32, stft_lookahead=4), (1,)),
    "decoder": (FourierDecoder(4, 8, 12, [(1, 1), (2, 0)], hop_length=16, n_fft=32, trim=12), (4,)),
    "noisy decoder": (FourierDecoder(4, 8, 12, [(1, 1), (2, 0)], hop_length=16, n_fft=32, trim=12, noise_bands=5), (4,)),
}


def make_input(name: str, length: int, batch: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.complex64 if name == "istft" else torch.float32
    return torch.randn(batch, *LAYERS[name][1], length, generator=generator, dtype=dtype)


def in_chunks(layer: Streaming, x: Tensor, sizes: list[int]) -> Tensor:
    state = layer.initial_state(x.shape[0], x)
    outputs, start = [], 0
    for size in sizes:
        y, state = layer.step(x[..., start : start + size], state)
        outputs.append(y)
        start += size
    y, state = layer.step(x[..., start:], state, final=True)
    return torch.cat([*outputs, y], dim=-1)


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=25)
@given(length=st.integers(0, 90), sizes=st.lists(st.integers(0, 30), max_size=8))
def test_chunked_equals_whole(name: str, length: int, sizes: list[int]) -> None:
    layer, x = LAYERS[name][0].eval(), make_input(name, length)
    with torch.no_grad():
        whole, chunked = layer(x), in_chunks(layer, x, sizes)
    assert chunked.shape == whole.shape
    torch.testing.assert_close(chunked, whole, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_two_sessions_share_one_layer(name: str) -> None:
    layer = LAYERS[name][0].eval()
    inputs = [make_input(name, 40, batch=1, seed=seed) for seed in (1, 2)]
    with torch.no_grad():
        states = [layer.initial_state(1, x) for x in inputs]
        outputs: list[list[Tensor]] = [[], []]
        for start in range(0, 40, 10):
            for session, x in enumerate(inputs):
                y, states[session] = layer.step(x[..., start : start + 10], states[session], final=start == 30)
                outputs[session].append(y)
        for x, pieces in zip(inputs, outputs, strict=True):
            torch.testing.assert_close(torch.cat(pieces, -1), layer(x), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [n for n in LAYERS if n != "istft"])
def test_no_output_depends_on_input_beyond_its_lookahead(name: str) -> None:
    layer = LAYERS[name][0].eval()
    hop = {"strided conv": 4, "strided conv with look-ahead": 4, "stft": 8, "stft with look-ahead": 8, "chain": 2, "encoder": 16}.get(
        name, 1
    )
    rate = {"transposed conv": 4, "trimmed transposed conv": 4, "decoder": 16, "noisy decoder": 16}.get(name, 1)
    ahead = {"chain": 1, "trimmed transposed conv": 1, "decoder": 2, "noisy decoder": 2}.get(name, layer.lookahead)
    x = make_input(name, 80)
    changed = x.clone()
    changed[..., 64:] = 9.0
    with torch.no_grad():
        before, after = layer(x), layer(changed)
    safe = ((64 - ahead) // hop) * rate
    assert safe > 0
    torch.testing.assert_close(before[..., :safe], after[..., :safe], atol=1e-6, rtol=1e-5)


@given(st.integers(0, 400))
@settings(max_examples=30)
def test_inverse_stft_inverts(length: int) -> None:
    n_fft, hop, lookahead = 64, 16, 24
    forward, inverse = STFT(n_fft, hop, lookahead), ISTFT(n_fft, hop, trim=n_fft - hop - lookahead)
    x = torch.randn(1, length, generator=torch.Generator().manual_seed(length))
    y = inverse(forward(x))
    assert y.shape[-1] == -(-length // hop) * hop
    # The last samples lack the frames that would begin after the end.
    sure = max(0, length - n_fft)
    torch.testing.assert_close(y[:, :sure], x[:, :sure], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("span", "hop"), [(64, 16), (50, 16), (16, 16), (7, 3)])
def test_overlap_add_equals_fold(span: int, hop: int) -> None:
    frames = torch.randn(3, 9, span)
    length = 8 * hop + span
    folded = torch.nn.functional.fold(frames.transpose(1, 2), (1, length), (1, span), stride=(1, hop))[:, 0, 0]
    torch.testing.assert_close(overlap_add(frames, hop), folded)


def test_stft_equals_torch() -> None:
    x = torch.randn(2, 400)
    ours = STFT(64, 16)(x)
    taper = torch.hann_window(64)
    reference = torch.stft(torch.nn.functional.pad(x, (48, 0)), 64, 16, window=taper * 2 / taper.sum(), center=False, return_complex=True)
    torch.testing.assert_close(ours, reference)


def test_a_window_that_cannot_be_causal_is_refused() -> None:
    with pytest.raises(ValueError, match="look-ahead"):
        Window(4, hop=4, lookahead=1)
