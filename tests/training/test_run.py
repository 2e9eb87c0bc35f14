"""The loop around the steps: its files, its log, stopping and going on."""

from __future__ import annotations

import io
import json
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_run
import torch
from conftest import voice
from rich.console import Console
from small_run import small_settings
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.checkpoint import load_codec
from wavelex.objectives.base import Batch
from wavelex.training.data import PackedAudio
from wavelex.training.evaluate import evaluate, held_out_clips
from wavelex.training.report import Report, picture
from wavelex.training.run import BEST, LATEST, LOG, STATE, Run, StopRequests
from wavelex.training.schedule import rate_factor
from wavelex.training.settings import Settings
from wavelex.training.state import load_state
from wavelex.training.trainer import Trainer

SETTINGS = small_settings(2, 4, 0, batch=2, evaluate_every=3, save_every=2, log_every=1)


@pytest.fixture
def audio(tmp_path: Path) -> PackedAudio:
    write_audio(tmp_path / "a.wav", Audio(voice(6)[None], 16000))
    return PackedAudio([tmp_path / "a.wav"], 16000, tmp_path / "cache", lambda done: None)


def make_trainer(audio: PackedAudio, settings: Settings = SETTINGS) -> Trainer:
    return small_run.make_trainer(audio, settings)


def test_a_run_leaves_state_weights_and_log(audio: PackedAudio, tmp_path: Path) -> None:
    said = io.StringIO()
    Run(make_trainer(audio), [voice(3, seed=5)], tmp_path / "run", Console(file=said, width=300), "mine").train()
    rows = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert [row["step"] for row in rows] == [3, 6]
    assert set(rows[0]["pesq"]) == {"0", "1", "2", "4", "8"}
    assert rows[1]["hours"] == pytest.approx(6 * 2 * 0.5 / 3600)
    for name in (BEST, LATEST):
        exported = load_codec(tmp_path / "run" / name)
        assert exported.notes["step"] in (3, 6) and exported.name == "mine"
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert "x real time" in said.getvalue() and "codebooks in use" in said.getvalue()


def test_tensorboard_has_the_parts_of_the_loss_the_rate_the_sound_and_its_spectrogram(audio: PackedAudio, tmp_path: Path) -> None:
    settings = small_settings(1, 0, 1, evaluate_every=1, log_every=1, kmeans_batches=4)
    Run(make_trainer(audio, settings), [voice(2)], tmp_path / "run", Console(file=io.StringIO()), "mine").train()
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    terms = ("mel", "complex", "loudness", "commitment", "adversarial", "features", "critics of adversarial", "total", "gradient")
    assert {f"loss/{term}" for term in terms} | {"learning rate", "real-time factor"} <= set(events.Tags()["scalars"])
    rates = [each.value for each in events.Scalars("learning rate")]
    assert rates == [pytest.approx(settings.learning_rate * rate_factor(settings, step)) for step in range(2)]
    sounds = {f"clip 0/{name}" for name in ("original", "no codebooks", "1 codebooks", "2 codebooks", "4 codebooks", "8 codebooks")}
    assert set(events.Tags()["audio"]) == set(events.Tags()["images"]) == sounds
    assert [each.step for each in events.Audio("clip 0/no codebooks")] == [1, 2]


def test_a_spectrogram_shows_a_tone_where_it_is() -> None:
    tone = torch.sin(2 * torch.pi * 4000 * torch.arange(16000) / 16000)
    (image,) = picture(tone)
    assert image.shape == (257, 126) and float(image.min()) >= 0 and float(image.max()) <= 1
    # 4 kHz is the middle of 8 kHz; full scale is white.
    assert int(image[:, 60].argmax()) == 128 and float(image[128, 60]) > 0.98
    assert float(picture(torch.zeros(2000)).max()) == 0


def test_the_line_tells_all_with_every_step_and_a_log_from_the_first(audio: PackedAudio, tmp_path: Path) -> None:
    trainer = make_trainer(audio, small_settings(4, 0, 0, batch=2, log_every=50))
    said = io.StringIO()
    with Report(trainer, Console(file=said, width=300), tmp_path) as report:
        for step in range(1, 4):
            report.step(trainer.step(), 0.5)
            (line,) = report._bar.tasks
            assert line.completed == step
            assert re.fullmatch(r"loss \d+\.\d+, rate 0\.\d+, 2\.0x real time, \d\.\d+ h seen, 0:00:0\d left", line.description)
            assert f"0:00:0{round(0.5 * (4 - step))} left" in line.description
    assert said.getvalue().count("step 1: ") == 1 and "step 2: " not in said.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_stopped_within_a_step_goes_on_as_if_unbroken(
    audio: PackedAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    # What started the tests may have had it ignored, which a run would leave so.
    before = signal.signal(number, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(number, before))
    unbroken = make_trainer(audio)
    for _ in range(6):
        unbroken.step()
    stopped = make_trainer(audio)
    update = stopped.averages.update

    def signal_in_the_middle_of_step_five(step: int) -> None:
        if step == 4:
            signal.raise_signal(number)
        update(step)

    monkeypatch.setattr(stopped.averages, "update", signal_in_the_middle_of_step_five)
    said = io.StringIO()
    assert not Run(stopped, [voice(2)], tmp_path / "run", Console(file=said), "mine").train()
    assert "stopped at step 5" in said.getvalue()
    resumed = make_trainer(audio)
    load_state(tmp_path / "run" / STATE, resumed)
    assert resumed.progress.step == 5
    assert Run(resumed, [voice(2)], tmp_path / "run", Console(file=said), "mine").train()
    for name, value in unbroken.codec.state_dict().items():
        assert torch.equal(value, resumed.codec.state_dict()[name]), name


def test_a_second_request_interrupts_unless_it_is_the_first_one_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with StopRequests() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 5)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_a_collapse_and_a_skipped_step_are_told(audio: PackedAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(audio, replace(SETTINGS, evaluate_every=6))
    monkeypatch.setattr(trainer, "codebook_health", lambda: [(1.0, 900.0)] * 7 + [(0.1, 40.0)])
    batch = trainer._batch
    monkeypatch.setattr(
        trainer, "_batch", lambda step, part=0: Batch(batch(step).samples * torch.nan, batch(step).clips) if step == 4 else batch(step)
    )
    said = io.StringIO()
    Run(trainer, [voice(2)], tmp_path / "run", Console(file=said, width=300), "mine").train()
    assert "codebook 7 is collapsing: 10% of its codes are in use" in said.getvalue()
    assert "step 5: not finite, skipped (1 in all)" in said.getvalue()


def test_evaluation_scores_averages_and_leaves_training_as_it_was(audio: PackedAudio, tmp_path: Path) -> None:
    trainer = make_trainer(audio)
    for _ in range(4):
        trainer.step()
    before = {name: value.clone() for name, value in trainer.codec.state_dict().items()}
    with trainer.averages.applied() as codec:
        assert not torch.equal(codec.encoder.network.layers[0].linear.weight, before["encoder.network.layers.0.linear.weight"])
        scores = evaluate(codec, [voice(2), np.zeros(16000, np.float32)], (0, 8))
    assert scores[8].clips == 1  # silence is not scored, and is not counted as scored
    assert 1.0 <= scores[8].pesq <= 4.7
    assert trainer.codec.training
    assert all(torch.equal(trainer.codec.state_dict()[name], value) for name, value in before.items())


def test_a_failure_during_evaluation_leaves_the_weights_alone(audio: PackedAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, unbroken = make_trainer(audio), make_trainer(audio)
    for _ in range(3):
        unbroken.step()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wavelex.training.run.evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Run(trainer, [voice(2)], tmp_path / "run", Console(file=io.StringIO()), "mine").train()
    resumed = make_trainer(audio)
    load_state(tmp_path / "run" / STATE, resumed)
    assert all(torch.equal(value, resumed.codec.state_dict()[name]) for name, value in unbroken.codec.state_dict().items())


def test_a_run_that_fails_before_its_first_step_leaves_no_state(
    audio: PackedAudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(audio)
    monkeypatch.setattr(trainer, "_batch", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Run(trainer, [], tmp_path / "run", Console(file=io.StringIO()), "mine").train()
    assert not (tmp_path / "run" / STATE).exists()


def test_without_held_out_clips_nothing_is_scored(audio: PackedAudio, tmp_path: Path) -> None:
    Run(make_trainer(audio), [], tmp_path / "run", Console(file=io.StringIO()), "mine").train()
    assert not (tmp_path / "run" / LOG).exists()
    assert (tmp_path / "run" / LATEST).exists()


def test_held_out_clips_are_resampled_and_cut(tmp_path: Path) -> None:
    for index in range(4):
        write_audio(tmp_path / f"{index}.wav", Audio(voice(2, 48000, seed=index)[None], 48000))
    clips = held_out_clips(sorted(tmp_path.glob("*.wav")), 16000, most=2, seconds=1.5)
    assert [len(clip) for clip in clips] == [24000, 24000]
