"""The Fourier decoder's noise: where it is, how much of it, and that it belongs to the seed and the frame."""

from __future__ import annotations

import torch
from conftest import TINY
from torch import Tensor

from wavelex.codec.model import CodecModel
from wavelex.decoders.base import Condition
from wavelex.decoders.noise import PERIOD, BandNoise
from wavelex.designs import build
from wavelex.nn.stft import ISTFT

CODES = torch.randint(1024, (1, 8, 40), generator=torch.Generator().manual_seed(1))


def noisy(amount: float) -> CodecModel:
    """A small speech_16k whose decoder adds the same noise everywhere."""
    torch.manual_seed(0)
    model = build("speech_16k", {**TINY, "noise_bands": 6}).eval()
    last = model.decoder.network.layers[-1].linear
    with torch.no_grad():
        last.weight[-12:] = 0
        last.bias[-12:] = amount
    return model


def decoded(model: CodecModel, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return model.decode(CODES, Condition(seed=seed))


def test_without_noise_the_decoder_is_what_it_was() -> None:
    model = noisy(-40.0)
    plain = build("speech_16k", TINY).eval()
    assert plain.arguments == TINY
    size = {key: len(value) for key, value in plain.state_dict().items() if value.ndim}
    plain.load_state_dict({key: value[: size[key]] if key in size else value for key, value in model.state_dict().items()})
    torch.testing.assert_close(decoded(model), decoded(plain), atol=1e-7, rtol=1e-5)


def test_the_noise_is_of_the_seed() -> None:
    model = noisy(0.0)
    assert torch.equal(decoded(model, 3), decoded(model, 3))
    assert not torch.allclose(decoded(model, 3), decoded(model, 4), atol=1e-4)
    silent = noisy(-40.0)
    torch.testing.assert_close(decoded(silent, 3), decoded(silent, 4), atol=1e-7, rtol=1e-5)


def test_every_training_step_hears_other_noise() -> None:
    model = noisy(0.0)
    model.decoder.train()
    torch.manual_seed(0)
    assert not torch.allclose(decoded(model), decoded(model), atol=1e-4)


def test_the_noise_is_steady_and_of_the_power_told_where_the_ring_closes_too() -> None:
    noise = BandNoise(4, 64, 16)
    amounts = torch.full((1, 4, 3 * PERIOD), 0.5)
    spectra, power = noise(amounts, place=7)
    assert abs(float(spectra.square().sum(0).mean() / power.mean()) - 1) < 0.05
    samples = ISTFT(64, 16, trim=48)(torch.complex(spectra[0], spectra[1]))[0, 512:-512]
    blocks = samples[: len(samples) // 512 * 512].view(-1, 512).square().mean(1)
    # White noise of 512 samples: its power is within four standard deviations everywhere.
    assert float((blocks / blocks.mean() - 1).abs().max()) < 4 * (2 / 512) ** 0.5


def test_amounts_are_told_by_band() -> None:
    noise = BandNoise(4, 64, 16)
    amounts = torch.full((1, 4, 400), -40.0)
    amounts[:, 3] = 1.0
    spectra, _ = noise(amounts, place=0)
    by_bin = spectra.square().sum(0).mean(2)[0]
    assert float(by_bin[:22].max()) < 1e-12 < 1e-2 < float(by_bin[26:].min())
