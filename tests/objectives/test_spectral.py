from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import voice

from wavelex.objectives.adversarial import discriminator_loss, feature_matching_loss, generator_loss
from wavelex.objectives.level import LevelDistance
from wavelex.objectives.loudness import LoudnessDistance
from wavelex.objectives.reconstruction import Reconstruction, ReconstructionWeights
from wavelex.objectives.spectral import LowBandComplexDistance, MelDistance, Spectra, mel_filters

SPECTRA = Spectra([256, 512, 1024])
TERMS = {
    "mel": MelDistance(16000, {256: 32, 512: 64, 1024: 96}),
    "complex": LowBandComplexDistance(16000, [512, 1024]),
    "loudness": LoudnessDistance(16000),
    "level": LevelDistance(16000),
}


def distance(name: str, decoded: np.ndarray, original: np.ndarray) -> float:
    ours, theirs = (SPECTRA(torch.from_numpy(x.astype(np.float32))[None]) for x in (decoded, original))
    return float(TERMS[name](ours, theirs))


@pytest.mark.parametrize("name", TERMS)
def test_identity_is_best_and_more_noise_is_worse(name: str) -> None:
    x = voice(2)
    noise = np.random.default_rng(0).standard_normal(len(x)) * 0.01
    values = [distance(name, x + gain * noise, x) for gain in (0, 0.3, 1, 3)]
    assert values == sorted(values) and values[0] < 0.05 * values[1]


@pytest.mark.parametrize("name", TERMS)
def test_gradients_are_finite_even_in_digital_silence(name: str) -> None:
    for original in (voice(0.5), np.zeros(8000, np.float32)):
        x = torch.zeros(1, 8000, requires_grad=True)
        TERMS[name](SPECTRA(x), SPECTRA(torch.from_numpy(original)[None])).backward()
        assert torch.isfinite(x.grad).all()


def test_spectra_equal_torch_stft() -> None:
    x = torch.from_numpy(voice(0.5))[None]
    taper = torch.hann_window(512)
    padded = torch.nn.functional.pad(x, (256, 256))
    reference = torch.stft(padded, 512, 128, window=taper * 2 / taper.sum(), center=False, return_complex=True)
    torch.testing.assert_close(SPECTRA(x)[512], reference, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("n_fft", "count"), [(128, 16), (512, 64), (2048, 160)])
def test_mel_filters_cover_the_band_and_none_is_empty(n_fft: int, count: int) -> None:
    bank = mel_filters(16000, n_fft, count)
    assert bank.shape == (count, n_fft // 2 + 1)
    torch.testing.assert_close(bank.sum(1), torch.ones(count))
    centres = (bank * torch.arange(n_fft // 2 + 1)).sum(1)
    assert (centres.diff() > 0).all()


def test_the_complex_term_hears_phase_at_low_frequency_only() -> None:
    t = np.arange(16000) / 16000
    low, high = ((np.sin(2 * np.pi * f * t), np.sin(2 * np.pi * f * t + 2)) for f in (400, 7000))
    assert distance("complex", *low) > 20 * distance("complex", *high)
    assert distance("mel", *low) < 0.2


def test_added_sound_is_louder_than_missing_sound() -> None:
    x = voice(2)
    tone = 0.02 * np.sin(2 * np.pi * 1500 * np.arange(len(x)) / 16000)
    assert distance("loudness", x + tone, x) > 1.1 * distance("loudness", x, x + tone)


def test_level_is_the_mean_ratio_of_energy_whatever_is_random() -> None:
    rng = np.random.default_rng(0)
    x, other = 0.1 * rng.standard_normal((2, 32000))
    assert distance("level", 0.5 * x, x) == pytest.approx(2 * np.log(2), rel=1e-3)
    # Another noise of the same power is near, though it has nothing in common with the first; the same at the level of its median is not.
    assert distance("level", other, x) < 0.2 < 0.3 < distance("level", 0.83 * other, x)


def test_loudness_does_not_depend_on_the_playback_level() -> None:
    x = voice(2)
    y = x + 0.01 * np.random.default_rng(0).standard_normal(len(x))
    assert distance("loudness", 0.4 * y, 0.4 * x) == pytest.approx(distance("loudness", y, x), rel=0.02)


def test_small_differences_of_loudness_hardly_count() -> None:
    """Within a quarter of the loudness, a dead zone leaves a tenth of the difference."""
    x = voice(1)
    assert distance("loudness", 2 * x, x) > 15 * distance("loudness", 1.1 * x, x) > 0


def test_a_silent_recording_does_not_take_the_whole_gradient() -> None:
    noise = 1e-3 * torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    norms = []
    for original in (torch.from_numpy(voice(1))[None], torch.zeros(1, 16000)):
        decoded = (original + noise).requires_grad_(True)
        TERMS["loudness"](SPECTRA(decoded), SPECTRA(original)).backward()
        norms.append(float(decoded.grad.norm()))
    assert norms[1] < 5 * norms[0]


def test_terms_without_weight_are_left_out() -> None:
    objective = Reconstruction(16000, ReconstructionWeights(mel=2.0, complex=0.0, loudness=0.5))
    x = torch.from_numpy(voice(0.5))[None, None]
    losses = objective(*objective.analyse(x * 0.5, x))
    assert set(losses) == {"mel", "loudness"}


def test_hinge_losses_at_known_points() -> None:
    def judged(value: float) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
        return [(torch.full((2, 1, 5), value), [torch.full((2, 3, 5), value)])]

    assert float(discriminator_loss(judged(1.0), judged(-1.0))) == 0.0
    assert float(discriminator_loss(judged(0.0), judged(0.0))) == 2.0
    assert float(generator_loss(judged(1.0))) == 0.0
    assert float(generator_loss(judged(-1.0))) == 2.0
    assert float(feature_matching_loss(judged(1.0), judged(1.5))) == pytest.approx(0.5)
