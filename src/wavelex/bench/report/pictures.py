"""Pictures of what a codec did to a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wavelex.files import replacing

LABEL = 14
"""Points: readable when the picture is shown at half its size."""


def compare(path: Path, original: np.ndarray, versions: dict[str, np.ndarray], sample_rate: int) -> None:
    """Waveform and spectrogram of the original (T,) above those of each decoded version (T,), as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = {"original": original, **versions}
    figure, axes = plt.subplots(len(rows), 2, figsize=(14, 2.4 * len(rows)), sharex=True, squeeze=False, layout="constrained")
    seconds = len(original) / sample_rate
    # Digital silence has no logarithm; a whisper of noise far below the colour scale does.
    floor = 1e-7 * np.random.default_rng(0).standard_normal(max(len(samples) for samples in rows.values()))
    peak = max(float(np.abs(original).max(initial=0.0)), 1e-3)
    for (name, samples), (wave, spectrum) in zip(rows.items(), axes, strict=True):
        time = np.arange(len(samples)) / sample_rate
        wave.plot(time, samples, linewidth=0.4, color="#1f4e79")
        wave.set(ylim=(-1.1 * peak, 1.1 * peak))
        wave.set_ylabel(name, fontsize=LABEL)
        spectrum.specgram(samples + floor[: len(samples)], NFFT=512, noverlap=384, Fs=sample_rate, cmap="magma", vmin=-130, vmax=-35)
        spectrum.set(ylim=(0, sample_rate / 2))
        spectrum.set_ylabel("frequency, Hz", fontsize=LABEL)
    for axis in axes.flat:
        axis.tick_params(labelsize=LABEL - 2)
    for axis in axes[-1]:
        axis.set(xlim=(0, max(seconds, 0.01)))
        axis.set_xlabel("time, s", fontsize=LABEL)
    for axis, title in zip(axes[0], ("samples", "spectrogram"), strict=True):
        axis.set_title(title, fontsize=LABEL + 1)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    plt.close(figure)
