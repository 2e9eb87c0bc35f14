"""Level: gains are told in dB, band by band, over what is active in the original."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import voice
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.errors import WavelexError
from wavelex.metrics.level import BANDS, LIMIT_DB, level

SPEECH = voice(1.5) + 0.01 * np.random.default_rng(1).standard_normal(24000).astype(np.float32)


@settings(max_examples=20)
@given(st.floats(-30, 10))
def test_a_gain_is_the_level_of_everything_and_of_every_band(decibels: float) -> None:
    found = level(SPEECH, SPEECH * np.float32(10 ** (decibels / 20)))
    assert set(found) == {"level", *(f"level_{n}" for n in range(1, 6))}
    assert all(value == pytest.approx(decibels, abs=0.01) for value in found.values())


@pytest.mark.parametrize("number", range(1, 6))
def test_a_gain_in_one_band_is_that_bands(number: int) -> None:
    low, high = BANDS[number - 1]
    spectrum, frequencies = np.fft.rfft(SPEECH), np.fft.rfftfreq(len(SPEECH), 1 / 16000)
    spectrum[(frequencies >= low) & (frequencies < high)] *= 10 ** (-6 / 20)
    found = level(SPEECH, np.fft.irfft(spectrum, len(SPEECH)).astype(np.float32))
    assert found[f"level_{number}"] == pytest.approx(-6, abs=0.7)
    assert all(abs(value) < 0.7 for name, value in found.items() if name not in ("level", f"level_{number}"))


def test_what_is_done_to_pauses_does_not_count() -> None:
    speech = voice(2)
    speech[16000:] = 1e-4 * np.random.default_rng(0).standard_normal(16000)
    louder = speech.copy()
    louder[16512:] *= 30
    assert level(speech, louder)["level"] == pytest.approx(0, abs=0.01)


def test_a_band_in_which_the_original_holds_only_its_rounding_is_left_out() -> None:
    spectrum = np.fft.rfft(SPEECH)
    spectrum[int(3900 * 1.5) :] = 0
    narrow = np.round(np.fft.irfft(spectrum, len(SPEECH)) * 32768).astype(np.float32) / 32768
    found = level(narrow, SPEECH)
    assert "level_3" in found and "level_4" not in found and "level_5" not in found


def test_what_is_lost_altogether_is_finite_and_a_silent_original_is_refused() -> None:
    silence = np.zeros(16000, np.float32)
    assert set(level(SPEECH, np.zeros_like(SPEECH)).values()) == {-LIMIT_DB}
    with pytest.raises(WavelexError, match="level error cannot be measured in this clip: the original is silent"):
        level(silence, silence)
