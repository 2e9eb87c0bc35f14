"""Every metric: best for a copy, worse with noise, the library's own value, and refusals in words."""

from __future__ import annotations

import contextlib
import io
import warnings

import librosa
import numpy as np
import pesq as pesq_package
import pystoi
import pytest
import pyworld
import torch

from wavelex.audio.recordings import Recording
from wavelex.bench.run.sample import SENTENCE, speak
from wavelex.bench.systems.system import at_rate
from wavelex.errors import WavelexError
from wavelex.metrics import ALL, choose
from wavelex.metrics import base as metric_base
from wavelex.metrics.base import SAMPLE_RATE, Metric, Pair, package_version, remember
from wavelex.metrics.mcd import WARP, _bend
from wavelex.metrics.pesq import pesq

BY_NAME = {metric.name: metric for metric in ALL}
SPOKEN = Recording(None, "spoken", language="en", text=SENTENCE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    sentence = speak()
    return at_rate(sentence.mono(), sentence.sample_rate, SAMPLE_RATE)


def noisy(samples: np.ndarray, amount: float) -> np.ndarray:
    return (samples + amount * np.random.default_rng(0).standard_normal(len(samples))).astype(np.float32)


def scores(metric: Metric, original: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    return dict(metric.measure(Pair(SPOKEN, original, decoded, original)))


COMPARING = [name for name in BY_NAME if name not in ("dnsmos", "level", "buzz", "words")]
"""Metrics of which more or less is better, against an original, and which load no recogniser; the others have tests of their own."""


@pytest.mark.parametrize("name", COMPARING)
def test_a_copy_scores_best_and_noise_lowers(name: str, speech: np.ndarray) -> None:
    best, worse, worst = (scores(BY_NAME[name], speech, noisy(speech, amount)) for amount in (0.0, 0.01, 0.1))
    perfect = {"pesq_wb": 4.644, "pesq_nb": 4.549, "stoi": 1, "estoi": 1, "si_sdr": 100, "mel": 0, "mcd": 0, "voicing_f1": 1}
    perfect |= {"f0_cents": 0, "speaker": 1}
    for column in BY_NAME[name].columns:
        assert best[column.name] == pytest.approx(perfect[column.name], abs=1e-3)
        order = [column.better * found[column.name] for found in (best, worse, worst)]
        assert order[0] >= order[1] - 0.05 and order[0] > order[2], (column.name, order)


def test_dnsmos_prefers_the_clean_clip(speech: np.ndarray) -> None:
    clean, worse = (scores(BY_NAME["dnsmos"], speech, noisy(speech, amount)) for amount in (0.0, 0.1))
    assert all(clean[column.name] > worse[column.name] for column in BY_NAME["dnsmos"].columns)


def test_the_libraries_own_values(speech: np.ndarray) -> None:
    heard = noisy(speech, 0.02)
    found = {key: value for name in COMPARING for key, value in scores(BY_NAME[name], speech, heard).items()}
    assert found["pesq_wb"] == pesq_package.pesq(SAMPLE_RATE, speech, heard, "wb")
    assert found["pesq_nb"] == pesq_package.pesq(SAMPLE_RATE, speech, heard, "nb")
    assert found["stoi"] == pystoi.stoi(speech, heard, SAMPLE_RATE)
    assert found["estoi"] == pytest.approx(pystoi.stoi(speech, heard, SAMPLE_RATE, extended=True), abs=1e-6)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import resemblyzer

        encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
        a, b = (encoder.embed_utterance(resemblyzer.preprocess_wav(x.copy())) for x in (speech, heard))
    assert found["speaker"] == pytest.approx(float(a @ b), abs=1e-5)
    voiced = []
    for x in (speech, heard):
        raw, times = pyworld.dio(x.astype(np.float64), SAMPLE_RATE, f0_floor=60, f0_ceil=500, frame_period=5.0)
        voiced.append(pyworld.stonemask(x.astype(np.float64), raw, times, SAMPLE_RATE) > 0)
    both, one = (voiced[0] & voiced[1]).sum(), (voiced[0] ^ voiced[1]).sum()
    assert found["voicing_f1"] == pytest.approx(both / (both + one / 2))


@pytest.mark.slow
def test_dnsmos_is_the_packages_own(speech: np.ndarray) -> None:
    from speechmos import dnsmos

    heard = noisy(speech, 0.02)
    found, expected = scores(BY_NAME["dnsmos"], speech, heard), dnsmos.run(heard, SAMPLE_RATE)
    for ours, theirs in (("dnsmos_ovrl", "ovrl_mos"), ("dnsmos_p808", "p808_mos")):
        assert found[ours] == pytest.approx(expected[theirs], abs=1e-4)


def test_mel_distance_is_that_of_librosa_spectra(speech: np.ndarray) -> None:
    heard = noisy(speech, 0.02)
    expected = 0.0
    for window, bands in ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the smallest windows have bands without a bin
            mels = [
                librosa.feature.melspectrogram(
                    y=x, sr=SAMPLE_RATE, n_fft=window, hop_length=window // 4, n_mels=bands, power=1, pad_mode="reflect"
                )
                for x in (speech, heard)
            ]
        expected += np.abs(np.diff([np.log10(np.maximum(mel, 1e-5)) for mel in mels], axis=0)).mean()
    assert scores(BY_NAME["mel"], speech, heard)["mel"] == pytest.approx(expected, rel=1e-4)


def test_the_mel_cepstral_bend_keeps_the_spectrum() -> None:
    """A cepstrum bent to the warped axis has, at each warped frequency, the log spectrum of the original."""
    rng = np.random.default_rng(1)
    cepstrum = np.zeros(128)
    cepstrum[:12] = rng.standard_normal(12) * 0.5 ** np.arange(12)
    bent = cepstrum @ _bend()
    frequencies = np.linspace(0.1, 3.0, 30)
    warped = frequencies + 2 * np.arctan(WARP * np.sin(frequencies) / (1 - WARP * np.cos(frequencies)))
    plain = np.cos(np.outer(frequencies, np.arange(128))) @ cepstrum
    again = np.cos(np.outer(warped, np.arange(25))) @ bent
    np.testing.assert_allclose(again, plain, atol=0.02)


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "words"])
def test_silence_is_refused_in_words(name: str) -> None:
    silence = np.zeros(16000, np.float32)
    if name == "mel":
        assert scores(BY_NAME[name], silence, silence) == {"mel": 0}
        silence = silence[:1000]
    with pytest.raises(WavelexError, match="cannot"):
        scores(BY_NAME[name], silence, silence)


@pytest.mark.parametrize("name", ["pesq", "stoi", "mel"])
def test_a_clip_too_short_is_refused_in_words(name: str, speech: np.ndarray) -> None:
    with pytest.raises(WavelexError, match="cannot score this clip"):
        scores(BY_NAME[name], speech[8000:9000], speech[8000:9000])


def test_long_recordings_of_many_utterances_are_scored_in_pieces(speech: np.ndarray) -> None:
    """The reference code of PESQ overruns its tables on more than 50 utterances."""
    bursts = np.concatenate([np.concatenate([speech[4000:12000], np.zeros(8000, np.float32)]) for _ in range(70)])
    assert pesq(bursts, bursts) == pytest.approx(4.644, abs=0.01)


def test_a_codec_that_falls_silent_for_a_piece_is_not_excused(speech: np.ndarray) -> None:
    long = np.tile(speech, 8)[: 38 * SAMPLE_RATE]
    silenced = long.copy()
    silenced[: 20 * SAMPLE_RATE] = 0
    with pytest.raises(WavelexError, match="PESQ cannot score this clip"):
        pesq(long, silenced)
    assert pesq(silenced, silenced) == pytest.approx(4.644, abs=0.01)


def test_versions_name_packages_and_missing_ones_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BY_NAME["mel"].version == f"revision 1, torch {torch.__version__.partition('+')[0]}, librosa {librosa.__version__}"
    with pytest.raises(WavelexError, match=r"needs no-such-package; pip install 'wavelex\[bench\]'"):
        package_version("no-such-package")


def test_metrics_are_chosen_by_name() -> None:
    assert choose("all") == ALL
    assert [metric.name for metric in choose("stoi,pesq")] == ["stoi", "pesq"]
    for names in ("stoi,none", ""):
        with pytest.raises(WavelexError, match="unknown metric"):
            choose(names)


def test_what_is_remembered_is_of_the_same_samples_and_bounded() -> None:
    calls = []
    for seed in [*range(metric_base.REMEMBERED + 1), metric_base.REMEMBERED]:
        assert remember("test", np.full(3, seed), lambda x: calls.append(1) or float(x[0])) == seed  # type: ignore[func-returns-value]
    assert len(calls) == metric_base.REMEMBERED + 1
    remember("test", np.full(3, metric_base.REMEMBERED), lambda x: calls.append(1))
    assert len(calls) == metric_base.REMEMBERED + 1
    assert len(metric_base._REMEMBERED) <= metric_base.REMEMBERED


def test_a_pair_is_brought_to_the_sample_rate_that_a_metric_is_made_for(speech: np.ndarray) -> None:
    original, decoded = speech[:32000], 0.5 * speech[:32000]
    wide = Pair(SPOKEN, *(at_rate(x, SAMPLE_RATE, 48000) for x in (original, decoded, original)), 48000)
    assert BY_NAME["level"].score(wide)["level"] == pytest.approx(-6.02, abs=0.01)
    assert BY_NAME["mel"].score(wide)["mel"] == pytest.approx(scores(BY_NAME["mel"], original, decoded)["mel"], rel=0.05)
