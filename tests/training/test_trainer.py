"""Nothing is left untrained, nothing not finite gets in, and a resumed run is the same run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import voice
from small_run import make_trainer, small_settings

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.checkpoint import load_codec, save_codec
from wavelex.codec.model import CodecModel
from wavelex.designs import build, recipe
from wavelex.errors import WavelexError
from wavelex.objectives.base import Batch
from wavelex.training.data import PackedAudio
from wavelex.training.recipe import Stage
from wavelex.training.schedule import rate_factor
from wavelex.training.settings import Settings
from wavelex.training.state import continue_from_weights, load_state, save_state
from wavelex.training.trainer import Trainer

SETTINGS = small_settings()


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> PackedAudio:
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(3):
        write_audio(folder / f"{index}.wav", Audio(voice(4, seed=index)[None], 16000))
    return PackedAudio(sorted(folder.iterdir()), 16000, folder / "cache", lambda done: None)


@pytest.mark.parametrize("masked_groups", [0, 3])
def test_every_parameter_gets_a_gradient_and_is_in_an_optimizer(audio: PackedAudio, masked_groups: int) -> None:
    trainer = make_trainer(audio, SETTINGS, masked_groups)
    for _ in range(SETTINGS.steps):
        assert trainer.step()
    for module, optimizer in [
        (trainer.codec, trainer.optimizer),
        (trainer.objectives["adversarial"], trainer.critic_optimizers["adversarial"]),
    ]:
        optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for name, parameter in module.named_parameters():
            assert id(parameter) in optimized, name
            assert parameter.grad is not None and float(parameter.grad.abs().max()) > 0, name


def test_every_parameter_moves(audio: PackedAudio) -> None:
    trainer = make_trainer(audio)
    named = [*trainer.codec.named_parameters(), *trainer.objectives["adversarial"].named_parameters()]
    before = {name: p.detach().clone() for name, p in named}
    for _ in range(SETTINGS.steps):
        trainer.step()
    assert [name for name, p in named if torch.equal(before[name], p)] == []


@pytest.mark.parametrize("stop_after", [1, 4, 6])
def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(audio: PackedAudio, tmp_path: Path, stop_after: int) -> None:
    unbroken = make_trainer(audio)
    losses = [unbroken.step() for _ in range(SETTINGS.steps)]
    first = make_trainer(audio)
    for _ in range(stop_after):
        first.step()
    save_state(tmp_path / "state.safetensors", first)
    resumed = make_trainer(audio)
    for _ in range(2):
        resumed.step()
    load_state(tmp_path / "state.safetensors", resumed)
    assert [resumed.step() for _ in range(SETTINGS.steps - stop_after)] == losses[stop_after:]
    for ours, theirs in [
        (resumed.codec.state_dict(), unbroken.codec.state_dict()),
        (resumed.objectives["adversarial"].state_dict(), unbroken.objectives["adversarial"].state_dict()),
        (resumed.averages.values, unbroken.averages.values),
    ]:
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert resumed.progress.samples_seen == unbroken.progress.samples_seen


def test_a_resumed_run_equals_an_unbroken_one_with_balance_and_accumulation(audio: PackedAudio, tmp_path: Path) -> None:
    settings = small_settings(1, 1, 2, balance=True, accumulate=2, schedule="constant", decay_share=0.3)
    unbroken = make_trainer(audio, settings)
    losses = [unbroken.step() for _ in range(4)]
    first = make_trainer(audio, settings)
    for _ in range(3):
        first.step()
    save_state(tmp_path / "state.safetensors", first)
    resumed = make_trainer(audio, settings)
    load_state(tmp_path / "state.safetensors", resumed)
    assert [resumed.step()] == losses[3:]
    assert all(torch.equal(resumed.balancer.means[term], mean) for term, mean in unbroken.balancer.means.items())
    assert all(torch.equal(value, unbroken.codec.state_dict()[name]) for name, value in resumed.codec.state_dict().items())


@pytest.mark.slow
def test_a_compiled_codec_trains_as_one_that_is_not(audio: PackedAudio, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_trainer(audio, small_settings(1, 2, 1))
    # The graphs as they are found, run without generated code, which takes minutes to make.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = make_trainer(audio, small_settings(1, 2, 1, compile=True))
    assert compiled.coded is not compiled.codec
    for _ in range(4):
        assert compiled.step() == pytest.approx(plain.step(), rel=1e-3)
    assert list(compiled.codec.state_dict()) == list(plain.codec.state_dict())


def test_accumulated_batches_are_one_large_one_where_nothing_depends_on_the_batch(audio: PackedAudio) -> None:
    trainers = [make_trainer(audio, small_settings(1, 0, 0, batch=batch, accumulate=n)) for batch, n in ((6, 1), (3, 2), (2, 3))]
    found = [trainer.step() for trainer in trainers]
    for trainer, losses in zip(trainers[1:], found[1:], strict=True):
        assert losses == pytest.approx(found[0], rel=1e-4)
        for ours, theirs in zip(trainer.codec.parameters(), trainers[0].codec.parameters(), strict=True):
            if theirs.grad is not None:
                torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
        assert trainer.progress.samples_seen == trainers[0].progress.samples_seen


def test_discriminators_learn_once_a_step_from_all_accumulated_batches(audio: PackedAudio) -> None:
    stages = (Stage("judged", 1, {"adversarial": 1.0}, quantize="no", adversarial=True),)
    steps = []
    trainers = []
    for batch, accumulate in ((6, 1), (3, 2)):
        trainer = make_trainer(audio, replace(small_settings(batch=batch, accumulate=accumulate, clip=1e6), stages=stages))
        optimizer = trainer.critic_optimizers["adversarial"]
        optimizer.step = lambda update=optimizer.step: (steps.append(1), update())
        trainer.step()
        trainers.append(trainer)
    assert len(steps) == 2
    for ours, theirs in zip(*(trainer.objectives["adversarial"].parameters() for trainer in trainers), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)


def test_a_run_continues_from_exported_weights_alone(audio: PackedAudio, tmp_path: Path) -> None:
    trainer = make_trainer(audio)
    for _ in range(4):
        trainer.step()
    save_codec(tmp_path / "weights.safetensors", trainer.codec, "tiny")
    codec = load_codec(tmp_path / "weights.safetensors")
    fresh = make_trainer(audio)
    continue_from_weights(codec.model, fresh, 4)
    whole = Settings.of(recipe("speech_16k"))
    assert rate_factor(whole, 5000, resumed_at=5000) < 0.1 * rate_factor(whole, 5000)
    for name, value in trainer.codec.state_dict().items():
        torch.testing.assert_close(fresh.codec.state_dict()[name], value, atol=1e-3, rtol=2e-3)
    assert fresh.step()["total"] == pytest.approx(trainer.step()["total"], rel=0.05)


@pytest.mark.parametrize("where", ["input", "loss"])
def test_a_step_that_is_not_finite_is_skipped_and_counted(audio: PackedAudio, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    trainer = make_trainer(audio)
    for _ in range(3):
        trainer.step()
    before = {name: value.clone() for name, value in trainer.codec.state_dict().items()}
    bad = Batch(torch.full((3, 1, 8000), torch.nan), torch.zeros(3, 2, dtype=torch.long))
    with monkeypatch.context() as patched:
        if where == "input":
            patched.setattr(trainer, "_batch", lambda *_: bad)
        else:
            patched.setattr(trainer.objectives["mel"], "forward", lambda made, *_: {"mel": made.samples.abs().mean() * torch.inf})
        assert trainer.step() == {}
    assert trainer.progress.skipped == 1
    assert all(torch.equal(before[name], value) for name, value in trainer.codec.state_dict().items())
    assert trainer.step()


def test_training_lowers_the_loss(audio: PackedAudio) -> None:
    settings = small_settings(60, 0, 0, learning_rate=3e-3, warmup=5)
    trainer = make_trainer(audio, settings)
    losses = [trainer.step()["total"] for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_the_discriminator_step_leaves_the_codebooks_alone(audio: PackedAudio) -> None:
    """One generator pass a step: the averages advance by one step's counts, not two."""
    trainer = make_trainer(audio, small_settings(0, 0))
    trainer.step()
    book = trainer.codec.quantizer.codebooks[0]
    book.dead_below = 0.0
    before = float(book.usage.sum())
    trainer.step()
    frames = 3 * 25
    assert float(book.usage.sum()) == pytest.approx(before * book.decay + (1 - book.decay) * frames, rel=1e-5)


def test_batches_depend_on_seed_and_step_alone(audio: PackedAudio) -> None:
    trainer = make_trainer(audio)
    assert torch.equal(trainer._batch(5).samples, trainer._batch(5).samples)
    assert not torch.equal(trainer._batch(5).samples, trainer._batch(6).samples)
    assert float(trainer._batch(5).samples.abs().max()) < 1.0


def test_the_rate_ramps_up_at_each_stage_and_ends_low() -> None:
    settings = small_settings(100, 900, 0, warmup=20)
    factors = [rate_factor(settings, step) for step in range(1000)]
    assert factors[0] < 0.1 and factors[100] < 0.1 and factors[30] > 0.9 and factors[130] > 0.8
    assert factors[-1] == pytest.approx(settings.final_rate, abs=0.01)
    assert max(factors) <= 1


def test_state_of_another_design_is_refused(audio: PackedAudio, tmp_path: Path) -> None:
    save_state(tmp_path / "state.safetensors", make_trainer(audio))
    with pytest.raises(WavelexError, match="another design"):
        load_state(tmp_path / "state.safetensors", make_trainer(audio, masked_groups=3))


def test_state_of_other_recordings_is_refused(audio: PackedAudio, tmp_path: Path) -> None:
    save_state(tmp_path / "state.safetensors", make_trainer(audio))
    write_audio(tmp_path / "a.wav", Audio(voice(4)[None], 16000))
    other = PackedAudio([tmp_path / "a.wav"], 16000, tmp_path / "cache", lambda done: None)
    with pytest.raises(WavelexError, match="on other recordings"):
        load_state(tmp_path / "state.safetensors", make_trainer(other))


def test_codebook_health_sees_a_collapse(trainable: CodecModel, audio: PackedAudio) -> None:
    trainer = Trainer(trainable, SETTINGS, audio, torch.device("cpu"))
    book = trainable.quantizer.codebooks[2]
    book.usage.fill_(1e-6)
    book.usage[:16] = 1.0
    health = trainer.codebook_health()
    assert health[0] == (1.0, pytest.approx(1024))
    assert health[2] == (pytest.approx(16 / 1024), pytest.approx(16, rel=0.05))


def test_recordings_of_one_channel_train_a_stereo_codec(audio: PackedAudio) -> None:
    torch.manual_seed(0)
    size = {"strides": [4, 5], "frames": 100, "filters": 4, "dim": 12, "codebooks": 2, "size": 32, "lstm": 1}
    model = build("encodec_48k", {"sample_rate": 16_000, **size})
    settings = replace(SETTINGS, stages=(Stage("codes", 2, {"waveform": 1.0, "commitment": 1.0}, start="kmeans"),))
    trainer = Trainer(model, settings, audio, torch.device("cpu"))
    assert all(trainer.step() for _ in range(2))
    assert model.quantizer.started
    assert len(trainer.codebook_health()) == 2
