"""SEANet encoder and decoder in all their variants: chunked equals whole, lengths, look-ahead."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.decoders.seanet import SEANetDecoder
from wavelex.encoders.seanet import SEANetEncoder

SIZE = {"dim": 5, "filters": 4, "strides": (2, 3, 4), "kernel": 5, "last_kernel": 3}
HOP = 24
VARIANTS: dict[str, dict[str, object]] = {
    "encodec": {},
    "encodec at 48 kHz": {"causal": False, "norm": True, "channels": 2},
    "language-codec": {"causal": False},
    "soundstream": {"lstm": 0, "padding": "zeros", "residual_layers": 3, "dilation_base": 3, "compress": 1, "shortcut": False},
    "speechtokenizer": {"causal": False, "bidirectional": True},
    "repeated": {"causal": False, "padding": "replicate", "lstm": 1},
}


def parts(name: str) -> tuple[SEANetEncoder, SEANetDecoder]:
    torch.manual_seed(0)
    arguments = {**SIZE, **VARIANTS[name]}
    encoder = SEANetEncoder(**arguments).eval()
    arguments.pop("bidirectional", None)
    return encoder, SEANetDecoder(**arguments).eval()


@pytest.mark.parametrize("name", VARIANTS)
@settings(max_examples=10)
@given(length=st.integers(1, 700), sizes=st.lists(st.integers(0, 200), max_size=6))
def test_chunked_equals_whole(name: str, length: int, sizes: list[int]) -> None:
    encoder, decoder = parts(name)
    samples = torch.randn(2, VARIANTS[name].get("channels", 1), length, generator=torch.Generator().manual_seed(length))
    with torch.no_grad():
        latents = encoder(samples)
        decoded = decoder(latents)
        for part, x, whole in ((encoder, samples, latents), (decoder, latents, decoded)):
            state, found, start = part.initial_state(2, x), [], 0
            for size in sizes:
                y, state = part.step(x[..., start : start + size], state)
                found.append(y)
                start += size
            y, state = part.step(x[..., start:], state, final=True)
            torch.testing.assert_close(torch.cat([*found, y], dim=-1), whole, atol=1e-5, rtol=1e-4)
    assert latents.shape == (2, 5, -(-length // HOP))
    assert decoded.shape == (2, samples.shape[1], latents.shape[2] * HOP)


@pytest.mark.parametrize("name", [name for name, kind in VARIANTS.items() if not {"norm", "bidirectional"} & set(kind)])
def test_no_more_is_waited_for_than_the_lookahead(name: str) -> None:
    encoder, decoder = parts(name)
    frames = 70
    with torch.no_grad():
        latents, _ = encoder.step(torch.randn(1, 1, frames * HOP + encoder.lookahead), encoder.initial_state(1, torch.zeros(1)))
        assert latents.shape[2] == frames
        samples, _ = decoder.step(latents, decoder.initial_state(1, latents))
    assert frames * HOP - decoder.lookahead <= samples.shape[2] <= frames * HOP
    assert (encoder.lookahead == decoder.lookahead == 0) == VARIANTS[name].get("causal", True)
