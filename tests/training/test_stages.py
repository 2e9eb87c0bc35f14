"""Stages: what a stage does not train stays as it is, what it does is trained by the terms that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, voice
from small_run import NUMBERS, make_trainer, small_settings
from torch import Tensor, nn

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.model import CodecModel
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.objectives import TERMS
from wavelex.objectives.base import Batch, Made, Objective
from wavelex.objectives.terms import Common
from wavelex.quantizers.residual import ResidualVQ
from wavelex.training.data import PackedAudio
from wavelex.training.recipe import Stage
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> PackedAudio:
    folder: Path = tmp_path_factory.mktemp("recordings")
    write_audio(folder / "a.wav", Audio(voice(6)[None], 16000))
    return PackedAudio([folder / "a.wav"], 16000, folder / "cache", lambda done: None)


def trainer_of(audio: PackedAudio, *stages: Stage, model: CodecModel | None = None, **values: Any) -> Trainer:
    torch.manual_seed(0)
    settings = Settings(stages, **{**NUMBERS, **values})
    return Trainer(model or build("speech_16k", TINY), settings, audio, torch.device("cpu"))


def state(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.codec.state_dict().items()}


def changed_parts(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("trained", [{"encoder"}, {"decoder"}, {"quantizer"}, {"encoder", "decoder"}, {"encoder", "quantizer", "decoder"}])
def test_parts_that_a_stage_does_not_train_stay_as_they_are(audio: PackedAudio, trained: set[str]) -> None:
    start = Stage("start", 1, {"mel": 1.0, "commitment": 1.0}, start="kmeans")
    trainer = trainer_of(audio, start, Stage("second", 2, {"mel": 1.0, "commitment": 1.0}, frozenset(trained)))
    trainer.step()
    before = state(trainer)
    for _ in range(2):
        assert trainer.step()
    assert changed_parts(before, state(trainer)) == trained


def test_a_later_stage_trains_again_what_an_earlier_one_left_alone(audio: PackedAudio) -> None:
    first = Stage("first", 1, {"mel": 1.0}, frozenset({"decoder"}), quantize="no")
    trainer = trainer_of(audio, first, Stage("second", 1, {"mel": 1.0}, quantize="no"))
    trainer.step()
    before = state(trainer)
    trainer.step()
    assert changed_parts(before, state(trainer)) == {"encoder", "decoder"}


def test_commitment_alone_draws_the_encoder_to_its_codes(audio: PackedAudio) -> None:
    start = Stage("start", 1, {"mel": 1.0}, quantize="yes", start="kmeans")
    pull = Stage("pull", 12, {"commitment": 1.0}, frozenset({"encoder"}))
    trainer = trainer_of(audio, start, pull, learning_rate=3e-3, schedule="constant", prefix_odds=(0, 0, 0, 0, 0, 0, 0, 1.0))
    trainer.step()
    before = state(trainer)
    losses = [trainer.step() for _ in range(12)]
    assert all(step["total"] == step["commitment"] > 0 for step in losses)
    assert changed_parts(before, state(trainer)) == {"encoder"}
    assert losses[-1]["commitment"] < 0.9 * losses[0]["commitment"]


def test_weights_scale_their_terms(audio: PackedAudio) -> None:
    once, twice = (trainer_of(audio, Stage("codes", 1, {"mel": 1.0, "commitment": w}, start="kmeans")).step() for w in (1.0, 2.0))
    assert twice["commitment"] == pytest.approx(2 * once["commitment"]) and once["commitment"] > 0
    assert twice["total"] == pytest.approx(twice["mel"] + twice["commitment"])


def test_clips_of_a_batch_are_coded_with_different_numbers_of_codebooks(audio: PackedAudio, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(audio, Stage("codes", 3, {"mel": 1.0}, start="kmeans"), batch=24, segment_seconds=0.1)
    used: list[Tensor] = []
    forward = trainer.codec.quantizer.forward

    def seen(latents: Tensor, counts: Tensor) -> Any:
        result = forward(latents, counts)
        used.append((result.codes >= 0).all(dim=2).sum(dim=1))
        return result

    monkeypatch.setattr(trainer.codec.quantizer, "forward", seen)
    for _ in range(3):
        trainer.step()
    counts = torch.cat(used)
    assert len(counts.unique()) >= 6 and 0.1 < float((counts == 8).float().mean()) < 0.6


def test_averages_follow_the_weights(audio: PackedAudio) -> None:
    trainer = trainer_of(audio, Stage("codes", 3, {"mel": 1.0}, quantize="no"), ema=0.998)
    expected = {name: p.detach().clone() for name, p in trainer.codec.named_parameters()}
    for step in range(3):
        trainer.step()
        for name, parameter in trainer.codec.named_parameters():
            expected[name] += (1 - (1 + step) / (10 + step)) * (parameter.detach() - expected[name])
    for name, value in trainer.averages.values.items():
        torch.testing.assert_close(value, expected[name])
    with trainer.averages.applied() as codec:
        assert all(torch.equal(p, trainer.averages.values[name]) for name, p in codec.named_parameters())


def test_the_discriminators_gradient_is_clipped(audio: PackedAudio) -> None:
    norms = {}
    for clip in (1e-3, 1e6):
        trainer = make_trainer(audio, small_settings(0, 0, 1, clip=clip))
        objective = trainer.objectives["adversarial"]
        batch = trainer._batch(0)
        made = Made(batch.samples * 0.5, torch.zeros(3, 12, 25), None)
        trainer._teach_critics("adversarial", objective, made, batch)
        norms[clip] = float(torch.stack([p.grad.norm() for p in objective.parameters()]).norm())
    assert norms[1e-3] == pytest.approx(1e-3, rel=1e-3) and norms[1e6] > 0.1


def test_discriminators_may_learn_alone(audio: PackedAudio) -> None:
    stages = Stage("judges", 2, {}, frozenset(), quantize="no", adversarial=True), Stage("rest", 1, {"adversarial": 1.0}, quantize="no")
    trainer = trainer_of(audio, *stages)
    judges = trainer.objectives["adversarial"]
    before, weights = state(trainer), {name: p.detach().clone() for name, p in judges.named_parameters()}
    assert "critics of adversarial" in trainer.step()
    assert changed_parts(before, state(trainer)) == set()
    assert not all(torch.equal(weights[name], p) for name, p in judges.named_parameters())
    trainer.step()
    weights = {name: p.detach().clone() for name, p in judges.named_parameters()}
    trainer.step()
    assert all(torch.equal(weights[name], p) for name, p in judges.named_parameters())


class Loudest:
    """A teacher whose feature is the level."""

    name, digest, dim, frame_rate, differentiable = "loudest", "0", 1, Fraction(2), False

    def features(self, samples: Tensor) -> Tensor:
        return samples.square().mean(dim=2, keepdim=True)


class Head(Objective):
    """A linear head that is to tell a teacher's feature from the latents."""

    terms = ("level",)

    def __init__(self, common: Common, dim: int = 12) -> None:
        super().__init__()
        self.head = nn.Linear(dim, 1)

    def forward(self, made: Made, batch: Batch, targets: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        told = self.head(made.latents.mean(dim=2))
        return {"level": (told - targets["loudest"][:, 0]).square().mean()}


@pytest.mark.parametrize("trained", [True, False])
def test_an_objective_of_a_users_own_learns_from_a_teacher_with_a_head(audio: PackedAudio, trained: bool) -> None:
    torch.manual_seed(0)
    parts = frozenset({"heads"}) if trained else frozenset({"encoder"})
    settings = Settings((Stage("codes", 2, {"level": 1.0}, parts, quantize="no"),), **NUMBERS | {"options": {}})
    known = {**TERMS, "level": Head}
    trainer = Trainer(build("speech_16k", TINY), settings, audio, torch.device("cpu"), {"loudest": Loudest()}, known)
    before, head = state(trainer), trainer.objectives["level"].head.weight.detach().clone()
    assert trainer.step()["level"] > 0
    assert changed_parts(before, state(trainer)) == (set() if trained else {"encoder"})
    assert torch.equal(head, trainer.objectives["level"].head.weight) is not trained


@pytest.mark.parametrize("codebooks", [1, 4, 12])
def test_any_number_of_codebooks_trains(audio: PackedAudio, codebooks: int) -> None:
    model = build("speech_16k", TINY)
    model.quantizer = ResidualVQ(TINY["dim"], codebooks, 16)
    trainer = trainer_of(audio, Stage("codes", 2, {"mel": 1.0, "commitment": 1.0}, start="kmeans"), model=model)
    assert trainer.step() and trainer.step()
    drawn = trainer._prefixes(400)
    assert int(drawn.min()) == 1 and int(drawn.max()) == codebooks


def test_segments_of_less_than_a_frame_are_refused(audio: PackedAudio) -> None:
    with pytest.raises(WavelexError, match=r"segment_seconds is 0.0001; a frame alone has 0.02 seconds"):
        make_trainer(audio, replace(small_settings(), segment_seconds=1e-4))


def test_segments_of_one_frame_train(audio: PackedAudio) -> None:
    trainer = make_trainer(audio, small_settings(1, 1, 1, segment_seconds=0.02))
    assert all(trainer.step() for _ in range(3))
