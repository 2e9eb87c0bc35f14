"""Discriminators and losses give what the published codecs' own code gives on the same weights and samples."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from wavelex.objectives.adversarial import Judged, discriminator_loss, feature_matching_loss, generator_loss
from wavelex.objectives.discriminators.base import levelled
from wavelex.objectives.discriminators.complex_resolution import ComplexDiscriminators
from wavelex.objectives.discriminators.ms_stft import StftDiscriminators
from wavelex.objectives.discriminators.period import PeriodDiscriminators
from wavelex.objectives.discriminators.resolution import MagnitudeDiscriminators
from wavelex.objectives.discriminators.scale import ScaleDiscriminators
from wavelex.objectives.discriminators.spectrogram import SpectrogramDiscriminators
from wavelex.objectives.log_spectra import LogMelDistance, MultiMelDistance, StftDistance
from wavelex.objectives.waveform import SiSdrLoss, WaveformDistance

sys.path.insert(0, str(Path(__file__).parents[1] / "designs"))
from fixtures import Fixture, load_fixture

CLOSE = 1e-5
CHANNELS: dict[str, Any] = {"mpd": (2, 4, 8, 16, 16), "mrd": 4}
"""Of the discriminators that Language-Codec shares with Vocos."""


def load(module: nn.Module, state: dict[str, Tensor], prefixes: Iterable[str]) -> nn.Module:
    """Each convolution of ours, in order, from the published one of that name."""
    ours = [m for m in module.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d))]
    names = list(prefixes)
    assert len(ours) == len(names)
    for convolution, name in zip(ours, names, strict=True):
        published = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        renamed = {RENAMED[len(published)].get(key, key): value for key, value in published.items()}
        convolution.load_state_dict(renamed)
    return module.eval()


RENAMED = {
    2: {},
    3: {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"},
    4: {
        "weight_orig": "parametrizations.weight.original",
        "weight_u": "parametrizations.weight.0._u",
        "weight_v": "parametrizations.weight.0._v",
    },
}


def row(count: int, prefix: str, layer: str = "convs.{}", judge: str = "conv_post", layers: int = 5) -> list[str]:
    """Names of published convolutions, discriminator by discriminator."""
    return [f"{prefix}.{i}.{name}" for i in range(count) for name in [*(layer.format(j) for j in range(layers)), judge]]


def agrees(judged: Judged, fixture: Fixture, prefix: str, first: int = 0) -> None:
    """Logits and sums of feature maps, from the published discriminator numbered `first` on."""
    counts = fixture.tensors[f"{prefix}fmap_counts"].tolist()
    sums = fixture.tensors[f"{prefix}fmap_sums"]
    at = sum(counts[:first])
    for index, (logits, features) in enumerate(judged):
        # Of conditional discriminators the logits of the first only are kept; they are a feature map as well.
        if index == 0 or "_cond" not in prefix:
            expected = fixture.tensors[f"{prefix}logits.{first + index}"]
            assert logits.numel() == expected.numel()
            torch.testing.assert_close(logits.reshape(expected.shape), expected, rtol=CLOSE, atol=CLOSE * float(expected.abs().max()))
        assert len(features) == counts[first + index]
        for feature in features:
            x = feature.double()
            ours = torch.stack([x.sum(), x.abs().sum(), x.square().sum()])
            # The sum of values of both signs is as precise as their absolute values.
            torch.testing.assert_close(ours.float(), sums[at].float(), rtol=CLOSE, atol=CLOSE * float(sums[at][1]))
            at += 1


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours.detach(), theirs, rtol=CLOSE, atol=0)


def judge(discriminators: nn.Module, fixture: Fixture, show: Callable[[Tensor], Tensor] = lambda x: x) -> tuple[Judged, Judged]:
    return tuple(discriminators(show(fixture.tensors[name].view(2, 1, -1))) for name in ("real", "fake"))


def compared(fixture: Fixture, prefix: str, real: Judged, fake: Judged) -> None:
    agrees(real, fixture, f"{prefix}real.")
    agrees(fake, fixture, f"{prefix}fake.")


def losses(fixture: Fixture, prefix: str, real: Judged, fake: Judged, loss: str) -> None:
    """The published sums over discriminators."""
    equal(discriminator_loss(real, fake, loss, average=False), fixture.tensors[f"loss.{prefix}discriminator"])
    equal(generator_loss(fake, loss, average=False), fixture.tensors[f"loss.{prefix}generator"])
    equal(feature_matching_loss(real, fake, normalize=False, average=False), fixture.tensors[f"loss.{prefix}feature"])


def test_periods_and_magnitudes_of_vocos_and_language_codec() -> None:
    fixture = load_fixture("disc_languagecodec")
    for name, module, discriminators in (
        ("mpd", "multiperioddisc", PeriodDiscriminators(channels=CHANNELS["mpd"])),
        ("mrd", "multiresddisc", MagnitudeDiscriminators(channels=CHANNELS["mrd"])),
    ):
        count = len(discriminators.members)
        load(discriminators, fixture.state, row(count, f"{module}.discriminators"))
        real, fake = judge(discriminators, fixture)
        compared(fixture, f"{name}.", real, fake)
        losses(fixture, f"{name}.", real, fake, "hinge")
        equal(generator_loss(fake) * count, fixture.tensors[f"loss.{name}.generator"])
        told = type(discriminators)(channels=CHANNELS[name], conditions=4)
        load(told, fixture.state, row(count, f"{module}.discriminators"))
        for index, member in enumerate(told.members):
            member.rows.data = fixture.state[f"{module}.discriminators.{index}.emb.weight"]
        rows = torch.tensor([1, 1])
        real, fake = (told(fixture.tensors[which].view(2, 1, -1), rows) for which in ("real", "fake"))
        # Of decoded samples only the losses are kept.
        agrees(real, fixture, f"{name}_cond.real.")
        losses(fixture, f"{name}_cond.", real, fake, "hinge")
    samples = [fixture.tensors[name][:, None] for name in ("fake", "real")]
    equal(LogMelDistance(24000)(*samples), fixture.tensors["loss.mel"])


def test_complex_bands_of_vocos() -> None:
    fixture = load_fixture("disc_vocos")
    discriminators = ComplexDiscriminators(channels=3)
    names = [
        f"discriminators.{i}.{n}" for i in range(3) for n in [*(f"band_convs.{b}.{j}" for b in range(5) for j in range(5)), "conv_post"]
    ]
    load(discriminators, fixture.state, names)
    real, fake = judge(discriminators, fixture, levelled)
    compared(fixture, "", real, fake)
    losses(fixture, "", real, fake, "hinge")


def test_stfts_of_encodec() -> None:
    fixture = load_fixture("disc_encodec")
    discriminators = StftDiscriminators(channels=4)
    load(discriminators, fixture.state, row(5, "discriminators", "convs.{}.conv", "conv_post.conv"))
    fake_samples = fixture.tensors["fake"].requires_grad_(True)
    real, fake = judge(discriminators, fixture)
    compared(fixture, "", real, fake)
    equal(discriminator_loss(real, fake), fixture.tensors["loss.hinge_d"])
    equal(feature_matching_loss(real, fake), fixture.tensors["loss.feature"])
    loss = generator_loss(fake)
    equal(loss, fixture.tensors["loss.hinge_g"])
    expected = fixture.tensors["loss.hinge_g.grad_fake"]
    (gradient,) = torch.autograd.grad(loss, fake_samples)
    torch.testing.assert_close(gradient, expected, rtol=CLOSE, atol=CLOSE * float(expected.abs().max()))


def test_all_of_dac() -> None:
    fixture = load_fixture("disc_dac")
    maps: dict[str, Any] = {"first_map": True, "logits_map": False}
    scale = ((4, 15, 1, 1), (8, 41, 4, 2), (16, 41, 4, 4), (32, 41, 4, 8), (32, 41, 4, 16), (32, 5, 1, 1))
    parts = (
        PeriodDiscriminators(channels=(2, 4, 8, 16, 16), whole=True, **maps),
        ScaleDiscriminators(1, scale, spectral=False, **maps),
        ComplexDiscriminators(channels=3, hop_aligned=True, **maps),
    )
    bands = [*(f"band_convs.{band}.{layer}.0" for band in range(5) for layer in range(5)), "conv_post"]
    load(parts[0], fixture.state, row(5, "discriminators", "convs.{}.0"))
    load(parts[1], fixture.state, [f"discriminators.5.{name}" for name in [*(f"convs.{i}.0" for i in range(6)), "conv_post"]])
    load(parts[2], fixture.state, [f"discriminators.{i}.{name}" for i in (6, 7, 8) for name in bands])
    real, fake = ([each for part in parts for each in judge(part, fixture, levelled)[which]] for which in (0, 1))
    compared(fixture, "", real, fake)
    losses(fixture, "", real, fake, "least_squares")
    samples = fixture.tensors["fake"], fixture.tensors["real"]
    for name, distance in (
        ("mel", MultiMelDistance(44100)),
        ("stft", StftDistance()),
        ("waveform", WaveformDistance()),
        ("sisdr", SiSdrLoss()),
    ):
        equal(distance(*samples), fixture.tensors[f"loss.{name}"])


def test_periods_and_spectrograms_of_bigcodec() -> None:
    fixture = load_fixture("disc_bigcodec")
    periods = PeriodDiscriminators(channels=(2, 8, 16, 16, 16), last_kernel=2, first_map=True, logits_map=False)
    load(periods, fixture.state, row(5, "mpd.discriminators", "convs.{}.0", "output_conv"))
    spectrograms = SpectrogramDiscriminators(channels=(3, 6, 12, 12, 12))
    names = [*(f"layer_{i}.0" for i in range(5)), "layer_5"]
    load(spectrograms, fixture.state, [f"mstft.model.disc_{i}.model.{name}" for i in range(5) for name in names])
    for name, discriminators in (("mpd", periods), ("spec", spectrograms)):
        real, fake = judge(discriminators, fixture)
        compared(fixture, f"{name}.", real, fake)
        both = fixture.tensors[f"loss.{name}.real"].sum() + fixture.tensors[f"loss.{name}.fake"].sum()
        equal(discriminator_loss(real, fake, "least_squares", average=False), both)
        equal(generator_loss(fake, "least_squares", average=False), fixture.tensors[f"loss.{name}.generator"].sum())
        equal(feature_matching_loss(real, fake, normalize=False, average=False), fixture.tensors[f"loss.{name}.feature"])
    equal(MultiMelDistance(16000)(fixture.tensors["fake"], fixture.tensors["real"]), fixture.tensors["loss.mel"])


def test_scales_of_hifi_gan() -> None:
    fixture = load_fixture("disc_hifigan_msd")
    layers = ((4, 15, 1, 1), (4, 41, 2, 2), (8, 41, 2, 4), (16, 41, 4, 4), (32, 41, 4, 4), (32, 41, 1, 4), (32, 5, 1, 1))
    discriminators = ScaleDiscriminators(layers=layers)
    load(discriminators, fixture.state, row(3, "discriminators", layers=7))
    real, fake = judge(discriminators, fixture)
    compared(fixture, "", real, fake)
    equal(discriminator_loss(real, fake, "least_squares", average=False), fixture.tensors["loss.discriminator"])
    equal(generator_loss(fake, "least_squares", average=False), fixture.tensors["loss.generator"])
    equal(2 * feature_matching_loss(real, fake, normalize=False, average=False), fixture.tensors["loss.feature"])


@pytest.mark.parametrize(("kind", "millions"), [(PeriodDiscriminators, 41.1), (ScaleDiscriminators, 29.6)])
def test_published_sizes(kind: type[nn.Module], millions: float) -> None:
    assert sum(p.numel() for p in kind().parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
