"""A transformer of windows: chunked equals whole however long the signal, and whole equals attention written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wavelex.nn.attention import WindowedAttention
from wavelex.nn.streaming import Chain, State, Streaming
from wavelex.nn.transformer import TransformerLayer

DIM = 12


def transformer(context: int, lookahead: int = 0, **options: Any) -> Chain:
    torch.manual_seed(0)
    made = Chain(*(TransformerLayer(DIM, 20, 2, context, lookahead, **options) for _ in range(2)))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "scale" in name:
                parameter.copy_(torch.rand(DIM))
            elif "project_in" in name:
                # Sharp attention: a key too many or too few is then seen in the result.
                parameter.mul_(4)
    return made.eval()


LAYERS = {
    "one frame": transformer(1),
    "causal": transformer(5),
    "scaled": transformer(4, scale=0.01),
    "ahead": transformer(5, 2),
    "gated, all normalised": transformer(7, 1, activation="swiglu", norm="rms", query_norm=1e-8),
    "longer than most signals": transformer(200),
}


def make_input(length: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, DIM, length, generator=torch.Generator().manual_seed(length))


def run(layer: Streaming, x: Tensor, sizes: list[int]) -> tuple[Tensor, list[State]]:
    """In chunks of these sizes and a last one with the rest."""
    state, found, start, states = layer.initial_state(len(x), x), [], 0, []
    with torch.no_grad():
        for size in sizes:
            y, state = layer.step(x[..., start : start + size], state)
            found.append(y)
            states.append(state)
            start += size
        y, _ = layer.step(x[..., start:], state, final=True)
    return torch.cat([*found, y], dim=-1), states


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=20)
@given(length=st.integers(0, 70), sizes=st.lists(st.integers(0, 25), max_size=8))
def test_chunked_equals_whole(name: str, length: int, sizes: list[int]) -> None:
    layer, x = LAYERS[name], make_input(length)
    chunked, _ = run(layer, x, sizes)
    with torch.no_grad():
        whole = layer(x)
    assert whole.shape == x.shape
    torch.testing.assert_close(chunked, whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["causal", "ahead"])
@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_a_stream_many_times_its_context_is_still_the_whole(name: str, size: int) -> None:
    layer, x = LAYERS[name], make_input(240)
    chunked, states = run(layer, x, [size] * (240 // size))
    with torch.no_grad():
        torch.testing.assert_close(chunked, layer(x), atol=1e-5, rtol=1e-4)
    for _, (waiting, keys, values, count) in states[-1]:
        assert count > 190
        assert waiting.shape[2] <= 2
        # What later frames see and no more: the cache does not grow.
        assert keys.shape[2] == values.shape[2] == 4 + waiting.shape[2]


def written_out(attention: WindowedAttention, x: Tensor) -> Tensor:
    """Frame by frame: the scores of the keys in its window, turned by their distance alone."""
    heads, width = attention.heads, DIM // attention.heads
    q, k, v = attention.project_in(x).view(len(x), -1, 3, heads, width).unbind(2)
    q, k = attention.query_norm(q), attention.key_norm(k)
    frequencies = attention.period ** (-torch.arange(width // 2) * 2 / width)
    found = []
    for frame in range(x.shape[1]):
        seen = range(max(0, frame - attention.context + 1), min(x.shape[1], frame + attention.lookahead + 1))
        scores = []
        for key in seen:
            turn = torch.polar(torch.ones(width // 2), (frame - key) * frequencies)
            pairs = torch.complex(*q[:, frame].chunk(2, -1)) * turn * torch.complex(*k[:, key].chunk(2, -1)).conj()
            scores.append(pairs.real.sum(-1) / width**0.5)
        weights = torch.stack(scores, -1).softmax(-1)
        found.append(torch.einsum("bhn,bnhw->bhw", weights, v[:, seen.start : seen.stop]).flatten(1))
    result: Tensor = attention.project_out(torch.stack(found, 1))
    return result


@pytest.mark.parametrize(("context", "lookahead", "query_norm"), [(3, 0, 0.0), (4, 2, 0.0), (6, 1, 1e-8), (100, 0, 0.0)])
def test_attention_is_that_of_its_window(context: int, lookahead: int, query_norm: float) -> None:
    torch.manual_seed(1)
    attention = WindowedAttention(DIM, 2, context, lookahead, query_norm)
    with torch.no_grad():
        attention.project_in.weight.mul_(3)
        x = make_input(23).transpose(1, 2)
        y, _ = attention.step(x, attention.initial_state(2, x), final=True)
        torch.testing.assert_close(y, written_out(attention, x))


def test_a_long_signal_is_attended_to_in_pieces_that_do_not_show() -> None:
    attention = WindowedAttention(DIM, 2, 9, 3)
    x = make_input(300, 1).transpose(1, 2)
    with torch.no_grad():
        y, _ = attention.step(x, attention.initial_state(1, x), final=True)
        torch.testing.assert_close(y, written_out(attention, x))


def test_a_stream_of_days_gives_what_its_last_frames_give() -> None:
    layer, x = LAYERS["causal"], make_input(40)
    with torch.no_grad():
        expected = layer(x)
        begun = layer.initial_state(2, x)
        late = tuple((waiting, (*carried[:3], 10**8)) for waiting, carried in begun)
        y, _ = layer.step(x, late, final=True)
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["causal", "ahead", "gated, all normalised"])
def test_the_lookahead_is_that_of_all_layers(name: str) -> None:
    layer, x = LAYERS[name], make_input(30)
    with torch.no_grad():
        for frames in range(20, 30):
            given, _ = layer.step(x[..., :frames], layer.initial_state(2, x))
            assert given.shape[-1] == frames - layer.lookahead
    changed = x.clone()
    changed[..., 20] += 1
    with torch.no_grad():
        differs = (layer(changed) - layer(x)).abs().amax((0, 1)) > 1e-7
    assert differs.nonzero()[0] == 20 - layer.lookahead


def test_gradients_reach_every_parameter() -> None:
    layer = transformer(5, 2, scale=0.1, query_norm=1e-6)
    layer(make_input(12)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() for parameter in layer.parameters())


def test_half_precision_is_kept() -> None:
    layer = transformer(5).to(torch.bfloat16)
    y, _ = run(layer, make_input(20).to(torch.bfloat16), [3, 9])
    assert y.dtype == torch.bfloat16
    assert torch.isfinite(y).all()


def test_mixed_precision_is_near_single() -> None:
    layer, x = transformer(5, 2, query_norm=1e-6), make_input(20)
    with torch.no_grad():
        expected = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            found, _ = run(layer, x, [3, 9])
    torch.testing.assert_close(found.float(), expected, atol=0.1, rtol=0.1)


def test_sizes_that_cannot_be_are_refused() -> None:
    for arguments in ((12, 5, 4), (12, 2, 0), (12, 2, 4, -1)):
        with pytest.raises(ValueError, match="cannot be"):
            WindowedAttention(*arguments)
    with pytest.raises(ValueError, match="'relu'"):
        TransformerLayer(DIM, 20, 2, 4, activation="relu")


def test_the_layer_normalises_before_and_adds_after() -> None:
    layer = TransformerLayer(DIM, 20, 2, 30)
    x = make_input(9)
    with torch.no_grad():
        frames = x.transpose(1, 2)
        middle = frames + written_out(layer.attention, layer.attention_norm(frames))
        expected = middle + layer.contract(nn.functional.gelu(layer.expand(layer.perceptron_norm(middle))))
        torch.testing.assert_close(layer(x), expected.transpose(1, 2))
