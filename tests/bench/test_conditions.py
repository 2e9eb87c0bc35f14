from __future__ import annotations

import numpy as np
import pytest
from conftest import voice
from hypothesis import given
from hypothesis import strategies as st

from wavelex.bench.run.conditions import ALL, BURST, Condition, choose, lost_packets
from wavelex.errors import WavelexError


@pytest.mark.parametrize("level", [0, 5, 10, 20])
def test_noise_has_the_level_asked_for_and_is_the_same_each_time(level: int) -> None:
    clean = voice(2)
    mixed = Condition(f"noise-{level}").apply(clean, 7)
    noise = mixed - clean
    assert 10 * np.log10(np.square(clean).sum() / np.square(noise).sum()) == pytest.approx(level, abs=0.01)
    np.testing.assert_array_equal(mixed, Condition(f"noise-{level}").apply(clean, 7))
    assert not np.array_equal(mixed, Condition(f"noise-{level}").apply(clean, 8))


def test_narrowband_has_nothing_above_4_khz() -> None:
    white = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    narrow = Condition("narrowband").apply(white, 0)
    power = np.square(np.abs(np.fft.rfft(narrow)))
    assert len(narrow) == len(white)
    assert power[4100:].sum() < 1e-3 * power[:3800].sum()


def test_clipping_and_quiet() -> None:
    clean = voice(1)
    assert np.abs(Condition("clipped").apply(clean, 0)).max() == pytest.approx(np.abs(clean).max() / 4)
    np.testing.assert_allclose(Condition("quiet").apply(clean, 0), clean / 100, rtol=1e-5)
    np.testing.assert_array_equal(Condition("clean").apply(clean, 0), clean)


def test_silence_stays_finite_in_every_condition() -> None:
    for name in ALL:
        assert np.isfinite(Condition(name).apply(np.zeros(1000, np.float32), 0)).all()


@given(st.sampled_from([0.01, 0.03, 0.05, 0.1]), st.integers(0, 1000))
def test_losses_are_as_many_and_as_bursty_as_said(share: float, seed: int) -> None:
    lost = lost_packets(100_000, share, seed)
    bursts = np.diff(lost.astype(int), prepend=0) == 1
    assert lost.mean() == pytest.approx(share, rel=0.3)
    assert lost.sum() / bursts.sum() == pytest.approx(BURST, rel=0.25)


def test_conditions_are_chosen_by_name() -> None:
    assert [condition.name for condition in choose("all")] == list(ALL)
    assert [condition.name for condition in choose("clean,loss-5,clean")] == ["clean", "loss-5"]
    assert choose("loss-5")[0].loss == 0.05
    with pytest.raises(WavelexError, match="unknown condition 'rain'"):
        choose("rain")
    with pytest.raises(WavelexError, match="no condition given"):
        choose("")
