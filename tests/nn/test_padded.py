"""Layers padded as published codecs pad: chunked equals whole, and whole equals torch's own padding and convolution."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wavelex.nn.combine import Each, Same, Sum
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.recurrent import LSTM
from wavelex.nn.streaming import Chain, Streaming, total_lookahead
from wavelex.nn.whole import Whole

torch.manual_seed(0)


def residual(mode: str) -> Sum:
    return Sum(Chain(Each(nn.ELU()), PaddedConv1d(3, 3, 5, left=2, right=2, mode=mode), PaddedConv1d(3, 3, 1)), Same())


LAYERS: dict[str, Streaming] = {
    "zeros": PaddedConv1d(3, 5, 7, left=3, right=3),
    "causal reflected": PaddedConv1d(3, 5, 7, left=6, mode="reflect", fill=True),
    "reflected": PaddedConv1d(3, 5, 7, left=3, right=3, mode="reflect", fill=True),
    "strided, filled, reflected": PaddedConv1d(3, 5, 8, stride=4, left=2, right=2, mode="reflect", fill=True),
    "strided, dropped": PaddedConv1d(3, 5, 8, stride=4, left=2, right=2),
    "dilated, repeated": PaddedConv1d(3, 5, 3, dilation=4, left=4, right=4, mode="replicate"),
    "unpadded": PaddedConv1d(3, 5, 5),
    "transposed": PaddedConvTranspose1d(3, 5, 8, 4, left=2, right=2),
    "odd transposed": PaddedConvTranspose1d(3, 5, 6, 3, left=2, right=2),
    "transposed with output padding": PaddedConvTranspose1d(3, 5, 6, 3, left=2, right=1),
    "causal transposed": PaddedConvTranspose1d(3, 5, 8, 4, left=0, right=4),
    "recurrent": LSTM(3),
    "whole": Whole(nn.Conv1d(3, 5, 1), 5),
    "residual": residual("replicate"),
    "chain": Chain(
        PaddedConv1d(3, 3, 4, stride=2, left=1, right=1, mode="reflect", fill=True),
        residual("reflect"),
        LSTM(3),
        PaddedConvTranspose1d(3, 2, 4, 2, left=1, right=1),
    ),
}


def make_input(length: int) -> Tensor:
    return torch.randn(2, 3, length, generator=torch.Generator().manual_seed(length))


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=30)
@given(length=st.integers(0, 70), sizes=st.lists(st.integers(0, 25), max_size=8))
def test_chunked_equals_whole(name: str, length: int, sizes: list[int]) -> None:
    layer, x = LAYERS[name].eval(), make_input(length)
    with torch.no_grad():
        whole = layer(x)
        state, found, start = layer.initial_state(2, x), [], 0
        for size in sizes:
            y, state = layer.step(x[..., start : start + size], state)
            found.append(y)
            start += size
        y, state = layer.step(x[..., start:], state, final=True)
    torch.testing.assert_close(torch.cat([*found, y], dim=-1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("length", range(1, 40))
@pytest.mark.parametrize(("mode", "torch_mode"), [("zeros", "constant"), ("reflect", "reflect"), ("replicate", "replicate")])
def test_padding_is_that_of_torch(mode: str, torch_mode: str, length: int) -> None:
    x = make_input(length)
    for kernel, stride, dilation, left, right in itertools.product((1, 5, 8), (1, 3), (1, 2), (0, 2), (0, 3)):
        if mode == "reflect" and max(left, right) >= length:
            continue
        layer = PaddedConv1d(3, 4, kernel, stride, dilation, left=left, right=right, mode=mode)
        padded = nn.functional.pad(x, (left, right), mode=torch_mode)
        if padded.shape[-1] < layer.span:
            assert not layer(x).shape[-1]
            continue
        torch.testing.assert_close(layer(x), layer.conv(padded))


def padded_as_encodec(x: Tensor, left: int, right: int) -> Tensor:
    """Reflection of signals that may be too short for it: zeros after them first, and as many steps less in the end."""
    added = max(0, max(left, right) - x.shape[-1] + 1)
    padded = nn.functional.pad(nn.functional.pad(x, (0, added)), (left, right), mode="reflect")
    return padded[..., : padded.shape[-1] - added]


@pytest.mark.parametrize("length", range(1, 40))
@pytest.mark.parametrize("causal", [False, True])
def test_filling_is_that_of_encodec(length: int, causal: bool) -> None:
    x = make_input(length)
    for kernel, stride, dilation in ((7, 1, 1), (4, 2, 1), (16, 8, 1), (3, 1, 2), (1, 1, 1)):
        span = (kernel - 1) * dilation + 1
        total = span - stride
        right = 0 if causal else total // 2
        layer = PaddedConv1d(3, 4, kernel, stride, dilation, left=total - right, right=right, mode="reflect", fill=True)
        extra = (-(-length // stride) - 1) * stride + span - total - length
        expected = layer.conv(padded_as_encodec(x, total - right, right + extra))
        assert expected.shape[-1] == -(-length // stride)
        torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("kernel", "stride", "padding", "more"), [(8, 4, 2, 0), (6, 3, 2, 0), (6, 3, 2, 1), (10, 5, 3, 1), (4, 4, 0, 0)])
def test_transposed_is_that_of_torch(kernel: int, stride: int, padding: int, more: int) -> None:
    layer = PaddedConvTranspose1d(3, 4, kernel, stride, left=padding, right=padding - more)
    theirs = nn.ConvTranspose1d(3, 4, kernel, stride, padding=padding, output_padding=more)
    theirs.weight, theirs.bias = layer.conv.weight, layer.bias
    for length in (1, 2, 9):
        torch.testing.assert_close(layer(make_input(length)), theirs(make_input(length)))


def test_lookahead_is_what_a_chain_waits_for() -> None:
    layers = [
        PaddedConv1d(1, 2, 7, left=3, right=3),
        PaddedConv1d(2, 2, 4, stride=2, left=1, right=1),
        PaddedConv1d(2, 2, 10, stride=5, left=3, right=2),
        PaddedConvTranspose1d(2, 2, 10, 5, left=3, right=2),
        PaddedConv1d(2, 1, 5, left=2, right=2),
    ]
    encoder, decoder = Chain(*layers[:3]), Chain(*layers[3:])
    ahead = total_lookahead(layers[:3], 1)
    assert ahead == 3 + 1 + 2 * 2
    assert total_lookahead(layers[3:], 10) == 3 * 2 + 2 * 2
    x = torch.randn(1, 1, 200)
    for length in range(ahead, 200):
        given, _ = encoder.step(x[..., :length], encoder.initial_state(1, x))
        assert given.shape[-1] == (length - ahead) // 10
    for frames in range(2, 9):
        given, _ = decoder.step(torch.randn(1, 2, frames), decoder.initial_state(1, x))
        assert given.shape[-1] == frames * 5 - 5
