"""Word and character error rates of Whisper on decoded speech, against the transcript and against what it hears in the original."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from wavelex.audio.recordings import Recording
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair, remember
from wavelex.metrics.whisper import find_weights, recognize

UNSPACED = ("zh", "yue", "ja", "th", "lo", "my", "km", "bo")
"""Languages written without spaces between words: of these only characters are counted."""


def normalize(text: str) -> str:
    """Lower-case words of letters, marks and digits with one space between them.

    Apostrophes are deleted, other signs are spaces, and what stands in brackets, such as [Music], was not said.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"\[[^\]]*\]|\([^)]*\)", " ", text)
    text = re.sub(r"['’ʼ`]", "", text)
    return " ".join("".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in text).split())


def errors(expected: str, heard: str) -> tuple[int, int, int, int]:
    """(word errors, words expected, character errors, characters expected) of normalised text."""
    import jiwer

    expected, heard = normalize(expected), normalize(heard)
    words, characters = len(expected.split()), len(expected)
    if not expected or not heard:
        return words, words, characters, characters
    by_word, by_character = jiwer.process_words(expected, heard), jiwer.process_characters(expected, heard)
    wrong = [found.substitutions + found.deletions + found.insertions for found in (by_word, by_character)]
    return wrong[0], words, wrong[1], characters


def word_errors(text: str, original: np.ndarray, decoded: np.ndarray, language: str = "en") -> dict[str, float]:
    """Error rates of (T,) at 16 kHz against the transcript, if there is one, and against what is heard in the original.

    Raises WavelexError where Whisper's weights are missing.
    """
    heard_first, heard = (str(remember(f"words {language}", x, lambda x: recognize(x, language))) for x in (original, decoded))
    found: dict[str, float] = {}
    for ending, expected in (("", text), ("_original", heard_first)):
        wrong, words, wrong_characters, characters = errors(expected, heard)
        if words and language not in UNSPACED:
            found |= {f"wer{ending}": wrong / words, f"words{ending}": words}
        if characters:
            found |= {f"cer{ending}": wrong_characters / characters, f"characters{ending}": characters}
    return found


def language_of(recording: Recording) -> str:
    """The code of a recording's language, as in en for en-GB or English; empty where it is unknown."""
    found = re.match("[a-z]*", recording.language.lower())
    code = found[0] if found else ""
    return "en" if code == "english" else code


def can_hear(recording: Recording) -> bool:
    """Whether the recogniser knows the language; a recording of unknown language is not recognised."""
    return language_of(recording) in find_weights().languages


def _measure(pair: Pair) -> dict[str, float]:
    return word_errors(pair.recording.text, pair.whole, pair.decoded, language_of(pair.recording))


def _weights() -> str:
    return str(find_weights())


METRIC = Metric(
    "words",
    (
        Column("wer", "WER", -1, 3, "words"),
        Column("cer", "CER", -1, 3, "characters"),
        Column("wer_original", "WER to orig.", -1, 3, "words_original"),
        Column("cer_original", "CER to orig.", -1, 3, "characters_original"),
    ),
    ("faster-whisper", "ctranslate2", "jiwer"),
    "language of the manifest; greedy, temperature 0, int8, one thread, no timestamps, windows of 30 s each for itself; "
    "lower case, no punctuation; it may invent words in bad speech",
    _measure,
    SAMPLE_RATE,
    can_hear,
    revision=2,
    weights=_weights,
)
