"""Speaker similarity: the cosine of GE2E embeddings (Wan et al. 2018), model inside `resemblyzer`."""

from __future__ import annotations

import contextlib
import io
import warnings
from functools import cache
from typing import Any

import numpy as np

from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, Column, Metric, Pair, remember

SHORTEST = SAMPLE_RATE // 10
"""Samples of speech below which the voice detector is not believed and the whole clip is embedded."""


def speaker_similarity(original: np.ndarray, decoded: np.ndarray) -> float:
    """Cosine of the embeddings of two (T,) at 16 kHz, 1 for the same voice. Raises WavelexError for a silent clip."""
    if not original.any() or not decoded.any():
        raise WavelexError("speaker similarity cannot score this clip: it is silent")
    a, b = (np.asarray(remember("speaker", samples, _embed)) for samples in (original, decoded))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _embed(samples: np.ndarray) -> np.ndarray:
    encoder, preprocess = _model()
    speech = preprocess(samples.copy())
    embedding: np.ndarray = encoder.embed_utterance(speech if len(speech) >= SHORTEST else samples)
    return embedding


@cache
def _model() -> Any:
    # Its voice detector imports pkg_resources, which announces its own end.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from resemblyzer import VoiceEncoder, preprocess_wav

        return VoiceEncoder("cpu", verbose=False), preprocess_wav


def _measure(pair: Pair) -> dict[str, float]:
    return {"speaker": speaker_similarity(pair.original, pair.decoded)}


METRIC = Metric(
    "speaker",
    (Column("speaker", "speaker", 1, 3),),
    ("resemblyzer", "torch"),
    "GE2E embeddings of the speech that its voice detector finds, level set to -30 dBFS",
    _measure,
    SAMPLE_RATE,
)
