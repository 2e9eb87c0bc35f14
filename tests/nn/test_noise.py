"""Noise that depends on seed and place alone."""

from __future__ import annotations

import torch
from chunks import chunked

from wavelex.nn.noise import ScaledNoise, gaussian

CPU = torch.device("cpu")


def test_it_is_normal_and_white() -> None:
    noise = gaussian(12345, 0, 200_000, CPU)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    assert abs(float((noise.abs() < 1).float().mean()) - 0.6827) < 0.005
    assert abs(float(noise.pow(4).mean()) - 3) < 0.1
    for lag in (1, 2, 3, 64):
        assert abs(float((noise[lag:] * noise[:-lag]).mean())) < 0.01


def test_any_stretch_of_it_can_be_had_by_itself() -> None:
    whole = gaussian(7, 0, 1000, CPU)
    assert torch.equal(gaussian(7, 300, 200, CPU), whole[300:500])
    assert abs(float((whole * gaussian(8, 0, 1000, CPU)).mean())) < 0.15


def test_layers_and_seeds_hear_other_noise_and_chunks_the_same() -> None:
    torch.manual_seed(0)
    layer, other, x = ScaledNoise(3, stream=0).eval(), ScaledNoise(3, stream=1).eval(), torch.randn(2, 3, 100)
    other.load_state_dict(layer.state_dict())
    with torch.no_grad():
        whole = layer(x)
        assert torch.equal(whole, layer(x))
        assert not torch.equal(whole, other(x))
        assert not torch.equal(whole, layer.step(x, layer.seeded(1))[0])
        assert not torch.equal(whole, layer.train()(x))
    torch.testing.assert_close(chunked(layer.eval(), x, [3, 0, 50]), whole)


def test_its_amount_is_told_by_the_input() -> None:
    torch.manual_seed(0)
    layer, x = ScaledNoise(3).eval(), torch.randn(2, 3, 100)
    with torch.no_grad():
        torch.testing.assert_close(layer(x) - x, layer.draw(0, 0, 100, x) * layer.amount(x), atol=1e-6, rtol=1e-4)
