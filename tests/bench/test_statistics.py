from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.bench.run.statistics import Bootstrap

RNG = np.random.default_rng(3)


def test_the_interval_is_that_of_the_normal_law() -> None:
    values = RNG.standard_normal(400) + 5
    found = Bootstrap([""] * 400).mean(values, np.ones(400))
    assert found is not None and found.mean == pytest.approx(values.mean())
    half = 1.96 * values.std() / np.sqrt(400)
    for interval in (found.clips, found.speakers):
        assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.25 * half)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    bootstrap = Bootstrap([""] * 60)
    for _ in range(200):
        found = bootstrap.mean(RNG.standard_normal(60), np.ones(60))
        assert found is not None
        covered += found.clips[0] <= 0 <= found.clips[1]
    assert 0.88 <= covered / 200 <= 0.99


def test_few_speakers_with_many_clips_widen_the_interval() -> None:
    voices = np.repeat(RNG.standard_normal(5), 40)
    names = [f"speaker {i // 40}" for i in range(200)]
    found = Bootstrap(names).mean(voices, np.ones(200))
    assert found is not None
    assert found.speakers[1] - found.speakers[0] > 3 * (found.clips[1] - found.clips[0])
    assert found.widest == found.speakers


def test_weights_make_a_ratio_of_sums() -> None:
    errors, words = np.array([1.0, 0.0, 9.0]), np.array([2.0, 10.0, 10.0])
    found = Bootstrap([""] * 3).mean(errors / words, words)
    assert found is not None and found.mean == pytest.approx(errors.sum() / words.sum())


@settings(max_examples=30)
@given(st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan"))), min_size=2, max_size=20))
def test_unscored_clips_do_not_count(values: list[float]) -> None:
    array = np.array(values)
    found = Bootstrap([""] * len(values)).mean(array, np.ones(len(values)))
    known = array[np.isfinite(array)]
    if not len(known):
        assert found is None
    else:
        assert found is not None and found.count == len(known)
        assert found.mean == pytest.approx(known.mean())
        assert known.min() - 1e-9 <= found.clips[0] <= found.clips[1] <= known.max() + 1e-9


def test_a_paired_difference_sees_what_two_intervals_hide() -> None:
    clips = 3 * RNG.standard_normal(50)
    better = clips + 0.2 + 0.1 * RNG.standard_normal(50)
    bootstrap, ones = Bootstrap([""] * 50), np.ones(50)
    means = [bootstrap.mean(values, ones) for values in (better, clips)]
    assert means[0] is not None and means[1] is not None and means[0].clips[0] < means[1].clips[1]
    found = bootstrap.difference(better, clips, ones)
    assert found is not None and found.significant and found.certainty > 0.99
    assert found.difference == pytest.approx((better - clips).mean())


def test_no_difference_is_not_significant() -> None:
    bootstrap, ones = Bootstrap([""] * 50), np.ones(50)
    values = RNG.standard_normal(50)
    same = bootstrap.difference(values, values, ones)
    assert same is not None and not same.significant and same.difference == 0 and same.certainty == 0
    noise = bootstrap.difference(values, values[::-1], ones)
    assert noise is not None and not noise.significant
    assert bootstrap.difference(values, np.full(50, np.nan), ones) is None
