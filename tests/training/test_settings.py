"""Settings, recipes and plans: plain data that is stored and read back, and refused in words."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_run import small_settings

from wavelex.designs import DESIGNS, recipe
from wavelex.errors import WavelexError
from wavelex.objectives import TERMS
from wavelex.training import precision
from wavelex.training.evaluate import codebook_counts
from wavelex.training.plan import PLAN, Plan
from wavelex.training.prefixes import prefix_chances
from wavelex.training.recipe import Recipe, Stage, with_steps
from wavelex.training.schedule import rate_factor
from wavelex.training.settings import Settings


def test_every_design_has_a_recipe_of_known_terms() -> None:
    for design in DESIGNS:
        assert set(Settings.of(recipe(design)).terms) <= set(TERMS)


def test_the_recipe_of_speech_16k() -> None:
    settings = Settings.of(recipe("speech_16k"))
    assert [(stage.name, stage.steps, stage.quantize, stage.adversarial) for stage in settings.stages] == [
        ("autoencoder", 3000, "no", False),
        ("codes", 18_000, "yes", False),
        ("adversarial", 0, "yes", True),
        ("decoder", 0, "yes", True),
    ]
    assert settings.stages[1].objectives == {"mel": 1.0, "complex": 8.0, "loudness": 1.5, "commitment": 1.0}
    assert settings.first_with_codes == 3000


def test_a_recipe_brings_settings_of_its_own() -> None:
    own = Recipe((Stage("all", 5, {"mel": 1}),), settings={"batch": 3, "seed": 7})
    assert (Settings.of(own).batch, Settings.of(own, batch=4).batch, Settings.of(own).seed) == (3, 4, 7)


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"steps": -1},
        {"steps": 1.5},
        {"steps": True},
        {"train": ["ears"]},
        {"train": []},
        {"quantize": "maybe"},
        {"start": "anywhere"},
        {"objectives": {}},
        {"objectives": {"mel": "much"}},
        {"objectives": {"mel": float("nan")}},
    ],
)
def test_stages_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(WavelexError, match="stage"):
        Stage(**{"name": "codes", "steps": 1, "objectives": {"mel": 1.0}, **values})


def test_steps_are_found_in_their_stages_and_empty_stages_left_out() -> None:
    settings = small_settings(2, 0, 3)
    assert [settings.stage_at(step)[0].name for step in range(7)] == ["autoencoder"] * 2 + ["adversarial"] * 5
    assert [settings.stage_at(step)[1] for step in range(7)] == [0, 0, 2, 2, 2, 2, 2]
    with pytest.raises(WavelexError, match="there is no stage cods; the stages are autoencoder, codes, adversarial"):
        with_steps(settings.stages, {"cods": 3})


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "nonsense",
        '{"batch": 0}',
        '{"batch": 1.5}',
        '{"batch": 4.0}',
        '{"batch": "many"}',
        '{"accumulate": 0}',
        '{"balance": 1}',
        '{"compile": "yes"}',
        '{"segment_seconds": -1}',
        '{"segment_seconds": NaN}',
        '{"no_such": 1}',
        '{"prefix_odds": 3}',
        '{"prefix_odds": [0, 0]}',
        '{"prefix_odds": ["a"]}',
        '{"betas": [0.9]}',
        '{"betas": [0.9, 1.0]}',
        '{"betas": [-1, 0.9]}',
        '{"betas": "ab"}',
        '{"schedule": "random"}',
        '{"schedule": "exponential", "final_rate": 0}',
        '{"precision": "float8"}',
        '{"final_rate": 2}',
        '{"stages": []}',
        '{"stages": [{"name": "a"}]}',
        '{"stages": 3}',
    ],
)
def test_settings_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(WavelexError, match="setting"):
        small_settings().changed(text)


def test_settings_are_stored_and_read_back_whole() -> None:
    settings = small_settings(betas=(0.8, 0.9), schedule="constant")
    assert Settings.stored(json.loads(json.dumps(settings.to_json()))) == settings
    assert small_settings().changed(json.dumps(settings.to_json())) == settings


def test_an_exponential_rate_falls_by_the_same_share_in_every_step() -> None:
    settings = small_settings(1000, 0, 0, warmup=0, schedule="exponential", final_rate=0.2)
    factors = [rate_factor(settings, step) for step in range(1001)]
    assert factors[0] == 1 and factors[1000] == pytest.approx(0.2)
    assert [later / earlier for earlier, later in itertools.pairwise(factors)] == pytest.approx([0.2**0.001] * 1000)


def test_a_constant_rate_does_not_know_how_long_the_run_is_until_it_falls_at_the_end() -> None:
    constant = small_settings(100, 900, 0, warmup=20, schedule="constant")
    longer = small_settings(100, 5000, 0, warmup=20, schedule="constant")
    assert [rate_factor(constant, step) for step in range(1000)] == [rate_factor(longer, step) for step in range(1000)]
    assert rate_factor(constant, 0) < 0.1 and rate_factor(constant, 999) == 1
    falling = replace(constant, decay_share=0.2)
    assert rate_factor(falling, 799) == 1
    assert rate_factor(falling, 900) == pytest.approx(0.5 + 0.5 * falling.final_rate)
    assert rate_factor(falling, 1000) == pytest.approx(falling.final_rate)


@given(st.integers(1, 40))
def test_any_number_of_codebooks_is_drawn(codebooks: int) -> None:
    odds = small_settings().prefix_odds
    chances = prefix_chances(odds, codebooks)
    assert chances.shape == (codebooks,) and chances.sum() == pytest.approx(1) and chances.min() > 0
    if codebooks == 8:
        np.testing.assert_allclose(chances, odds)
    counts = codebook_counts(codebooks)
    assert counts[-1] == codebooks and list(counts) == sorted(set(counts)) and counts[0] == 1


def test_four_codebooks_get_the_chances_of_their_share() -> None:
    np.testing.assert_allclose(prefix_chances((0.1, 0.2, 0.1, 0.15, 0.05, 0.05, 0.05, 0.3), 4), [0.3, 0.25, 0.1, 0.35])


def test_bfloat16_is_for_machines_that_compute_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for there in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: {"avx2": True, "avx512_bf16": there}, raising=False)
        assert precision.uses_bfloat16("auto", cpu) is there
        assert precision.uses_bfloat16("bfloat16", cpu) and not precision.uses_bfloat16("float32", cpu)


def test_a_plan_is_stored_read_back_and_changed(tmp_path: Path) -> None:
    plan = Plan("mine", "speech_16k", "data", small_settings(), {"dim": 8}, "dev", 3, "cpu", 2)
    plan.save(tmp_path)
    assert Plan.load(tmp_path) == plan
    assert plan.changed(dev_clips=5, name=None) == replace(plan, dev_clips=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "run.json is missing"),
        ("{", "not JSON"),
        ("[]", "not whole"),
        ("{}", "not a run of this version"),
        ('{"format": "wavelex-run-1"}', "not whole"),
        ('{"format": "wavelex-run-1", "settings": {}}', "not usable as settings"),
    ],
)
def test_plans_that_cannot_be_read(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / PLAN).write_text(text)
    with pytest.raises(WavelexError, match=message):
        Plan.load(tmp_path)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_names_that_no_file_could_carry(name: str) -> None:
    with pytest.raises(WavelexError, match="give one of 1 to 100 printable"):
        Plan(name, "speech_16k", "data", small_settings())
