"""Something speech-like, for when no recording is at hand."""

from __future__ import annotations

import numpy as np


def voice(seconds: float, sample_rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """A harmonic tone of gliding pitch that comes and goes like syllables, with noise in between: (samples,) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch = 120 + 20 * (seed % 5) + 30 * np.sin(2 * np.pi * 0.6 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / sample_rate
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 20))
    syllables = np.sin(2 * np.pi * 2.5 * time + rng.uniform(0, 6))
    hiss = rng.standard_normal(len(time)) * np.clip(-syllables, 0, 1) ** 4
    return (0.12 * tone * np.clip(syllables, 0, 1) + 0.03 * hiss).astype(np.float32)
