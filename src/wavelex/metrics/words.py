"""Word and character error rates of a recogniser (PocketSphinx, US English model inside the package) on decoded speech."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from wavelex.audio.recordings import Recording
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair, remember

HYPOTHESES_A_FRAME = 3000


def recognize(samples: np.ndarray) -> str:
    """What the recogniser hears in (T,) at 16 kHz; may be empty."""
    decoder = _decoder()
    pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").tobytes()
    # The recogniser carries an adapted state from clip to clip; without this, scores would depend on their order.
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(pcm, False, True)
    decoder.end_utt()
    found = decoder.hyp()
    return found.hypstr if found else ""


def normalize(text: str) -> str:
    """Lower-case words of letters and apostrophes, one space between them."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower().replace("-", " ")).split())


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


def word_errors(text: str, original: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    """Error rates of (T,) at 16 kHz against the transcript, if there is one, and against what is heard in the original."""
    heard = recognize(decoded)
    found: dict[str, float] = {}
    for ending, expected in (("", text), ("_original", str(remember("words", original, recognize)))):
        wrong, words, wrong_characters, characters = errors(expected, heard)
        if words:
            found |= {f"wer{ending}": wrong / words, f"words{ending}": words}
            found |= {f"cer{ending}": wrong_characters / characters, f"characters{ending}": characters}
    return found


def is_english(recording: Recording) -> bool:
    """Whether the recogniser knows the language; a recording of unknown language is not recognised."""
    return recording.language.lower().startswith("en")


@cache
def _decoder() -> Any:
    from pocketsphinx import Decoder

    return Decoder(samprate=SAMPLE_RATE, loglevel="FATAL", cmn="batch", maxhmmpf=HYPOTHESES_A_FRAME)


def _measure(pair: Pair) -> dict[str, float]:
    return word_errors(pair.recording.text, pair.whole, pair.decoded)


METRIC = Metric(
    "words",
    (
        Column("wer", "WER", -1, 3, "words"),
        Column("cer", "CER", -1, 3, "characters"),
        Column("wer_original", "WER to orig.", -1, 3, "words_original"),
        Column("cer_original", "CER to orig.", -1, 3, "characters_original"),
    ),
    ("pocketsphinx", "jiwer"),
    f"English only; bundled en-us model, cmn batch, maxhmmpf {HYPOTHESES_A_FRAME}; a weak recogniser, so it ranks rather than rates",
    _measure,
    is_english,
)
