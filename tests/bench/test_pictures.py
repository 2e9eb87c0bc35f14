"""The picture shows what it says: the original on top, each version under its name, sound where there is sound."""

from __future__ import annotations

from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from conftest import voice
from matplotlib.axes import Axes
from PIL import Image

from wavelex.bench.report.pictures import compare

RATE = 16_000
ORIGINAL = voice(1.5)
LOUD, SILENT = np.float32(0.5) * voice(1.5, seed=1), np.zeros(24_000, np.float32)


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[list[Axes]], np.ndarray]:
    """Axes by row of a picture of two versions, and its pixels as they were written."""
    figures: list[matplotlib.figure.Figure] = []
    save = matplotlib.figure.Figure.savefig

    def keep(figure: matplotlib.figure.Figure, *words: object, **options: object) -> None:
        figures.append(figure)
        save(figure, *words, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    compare(tmp_path / "a.png", ORIGINAL, {"1 codebook": LOUD, "8 codebooks": SILENT}, RATE)
    axes = figures[0].get_axes()
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"), np.float64)
    return [axes[i : i + 2] for i in range(0, len(axes), 2)], pixels


def place(axis: Axes, pixels: np.ndarray) -> np.ndarray:
    """The part of the picture inside an axis, without its frame."""
    height, width, _ = pixels.shape
    box = axis.get_position()
    rows = slice(int((1 - box.y1) * height) + 3, int((1 - box.y0) * height) - 3)
    return pixels[rows, int(box.x0 * width) + 3 : int(box.x1 * width) - 3]


def test_the_original_is_on_top_and_every_row_has_its_own_samples(drawn: tuple[list[list[Axes]], np.ndarray]) -> None:
    axes, _ = drawn
    assert [wave.get_ylabel() for wave, _ in axes] == ["original", "1 codebook", "8 codebooks"]
    for (wave, _), samples in zip(axes, (ORIGINAL, LOUD, SILENT), strict=True):
        time, shown = wave.lines[0].get_data()
        np.testing.assert_array_equal(shown, samples)
        np.testing.assert_allclose(time, np.arange(len(samples)) / RATE)
    tops = [wave.get_position().y1 for wave, _ in axes]
    assert tops == sorted(tops, reverse=True)


def test_axes_have_units_and_letters_that_can_be_read(drawn: tuple[list[list[Axes]], np.ndarray]) -> None:
    axes, _ = drawn
    assert [axis.get_title() for axis in axes[0]] == ["samples", "spectrogram"]
    assert all(spectrum.get_ylabel() == "frequency, Hz" and spectrum.get_ylim() == (0, RATE / 2) for _, spectrum in axes)
    assert all(axis.get_xlabel() == "time, s" and axis.get_xlim() == (0, 1.5) for axis in axes[-1])
    assert all(wave.get_ylim() == axes[0][0].get_ylim() for wave, _ in axes)
    letters = [text for row in axes for axis in row for text in (axis.yaxis.label, axis.xaxis.label, axis.title) if text.get_text()]
    letters += [text for row in axes for axis in row for text in axis.get_yticklabels()]
    assert min(text.get_fontsize() for text in letters) >= 12


def test_sound_is_seen_where_there_is_sound(drawn: tuple[list[list[Axes]], np.ndarray]) -> None:
    axes, pixels = drawn
    inked = [(place(wave, pixels).min(axis=2) < 200).mean() for wave, _ in axes]
    assert inked[0] > 1.2 * inked[1] > 4 * inked[2] > 0
    bright = [(place(spectrum, pixels).sum(axis=2) > 300).mean() for _, spectrum in axes]
    assert bright[0] > 0.05 and bright[1] > 0.05
    # But for the white edge before the first window.
    assert bright[2] < 0.02
    # The tone is at the bottom, where its frequencies are low.
    tone = place(axes[0][1], pixels).sum(axis=2)
    assert tone[-len(tone) // 4 :].mean() > 1.5 * tone[: len(tone) // 4].mean()
