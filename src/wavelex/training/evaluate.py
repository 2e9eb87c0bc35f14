"""PESQ and STOI of a codec on held-out clips at several codebook counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wavelex.audio.reading import read_audio
from wavelex.audio.resampling import resample
from wavelex.codec.model import CodecModel
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE
from wavelex.metrics.pesq import pesq
from wavelex.metrics.stoi import stoi

Hear = Callable[[int, int, np.ndarray], None]
"""Is given the number of codebooks, that of the clip, and the decoded samples (T,)."""


@dataclass(frozen=True)
class Score:
    """Means over the clips that could be scored."""

    pesq: float
    stoi: float
    clips: int


def held_out_clips(paths: list[Path], sample_rate: int, most: int, seconds: float = 6.0) -> list[np.ndarray]:
    """The beginnings of `most` recordings spread evenly over the list, mono at the codec's rate."""
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)]
    clips = []
    for path in chosen:
        audio = read_audio(path)
        clips.append(resample(audio.mono()[None], audio.sample_rate, sample_rate)[0][: int(seconds * sample_rate)])
    return clips


def codebook_counts(codebooks: int) -> tuple[int, ...]:
    """The numbers of codebooks to score a codec at: powers of two, and all."""
    return (*(1 << power for power in range(codebooks.bit_length()) if 1 << power < codebooks), codebooks)


@torch.no_grad()
def evaluate(codec: CodecModel, clips: list[np.ndarray], counts: tuple[int, ...], hear: Hear | None = None) -> dict[int, Score]:
    """Score per codebook count; 0 is the latent without codes. Clips that a metric refuses are left out and not counted."""
    training = {module: module.training for module in codec.modules()}
    codec.eval()
    scores = {}
    for count in counts:
        rows = []
        for index, clip in enumerate(clips):
            samples = torch.from_numpy(clip)[None, None].to(next(codec.parameters()).device)
            decoded = codec(samples, count or None, quantize=count > 0).samples[0, 0].float().cpu().numpy()
            if hear:
                hear(count, index, decoded)
            original, heard = (resample(x[None], codec.sample_rate, SAMPLE_RATE)[0] for x in (clip, decoded))
            try:
                rows.append((pesq(original, heard), stoi(original, heard)))
            except WavelexError:
                continue
        means = np.mean(rows, axis=0) if rows else (float("nan"), float("nan"))
        scores[count] = Score(float(means[0]), float(means[1]), len(rows))
    for module, was in training.items():
        module.training = was
    return scores
