from __future__ import annotations

import numpy as np
import pytest
from conftest import voice

from wavelex.audio.resampling import resample
from wavelex.audio.samples import Audio
from wavelex.bench.run.quick import there_and_back
from wavelex.bench.run.sample import speak
from wavelex.codec.codec import Codec


def test_rates_are_those_of_the_bytes_that_are_written(tiny: Codec) -> None:
    audio = Audio(voice(2, 48000)[None], 48000)
    found = there_and_back(tiny, audio, 2)
    mono = Audio(resample(audio.mono()[None], 48000, 16000), 16000)
    assert found.kbps == pytest.approx(8e-3 * len(tiny.encode(mono, codebooks=2).to_bytes()) / 2)
    assert found.decoded.sample_rate == 16000 and found.decoded.seconds == pytest.approx(2)
    assert found.speed > 0


def test_what_cannot_be_scored_says_why(tiny: Codec) -> None:
    found = there_and_back(tiny, Audio(np.zeros((1, 16000), np.float32), 16000), 1)
    assert found.pesq is None and found.stoi is None
    assert "PESQ cannot score" in found.refusal and "STOI cannot score" in found.refusal


def test_the_spoken_sentence_is_speech() -> None:
    speech = speak()
    assert 3 < speech.seconds < 10
    assert 0.1 < np.abs(speech.samples).max() <= 1
