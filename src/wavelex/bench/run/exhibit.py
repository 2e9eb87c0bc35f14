"""What a report lets one hear and see: a player and a spectrogram for a few clips through every system."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from wavelex.bench.run.results import Results
from wavelex.bench.run.scoring import Item
from wavelex.metrics.base import SAMPLE_RATE, Metric, Pair

SECONDS = 8
"""Of each clip; a page of a hundred players has to be sent somewhere."""
TYPICAL, WORST = 4, 10
WINDOW, HOP = 512, 256
FLOOR_DB, TOP_DB = -95.0, -25.0
HEIGHT, WIDTH = 110, 300


@dataclass(frozen=True)
class Exhibit:
    """An Ogg Opus sound and a WebP picture, in base64."""

    sound: str
    picture: str


@dataclass(frozen=True)
class Gallery:
    """Items by heading, and what there is of each through each system."""

    chosen: dict[str, list[Item]]
    made: dict[tuple[Item, str], Exhibit]


def choose_exhibits(results: Results, items: Sequence[Item]) -> dict[str, list[Item]]:
    """The ten clips that the first codec under test does worst at, and four spread over its scores.

    By the mean of PESQ-WB over the rates of the first system's family, or by the first figure that there is; refused clips
    are not among them, they are listed as such.
    """
    if not results.systems or not results.entries:
        return {}
    families = [described["family"] for described in results.systems.values() if described["family"] != "original"]
    family = families[0] if families else "original"
    names = [name for name, described in results.systems.items() if described["family"] == family]
    condition = results.conditions[0]
    measured = [
        column
        for column in results.columns
        if column.better and column.name in {c for m in results.metrics.values() for c in m["columns"].split()}
    ]
    if not measured:
        return {}
    column = next((column for column in measured if column.name == "pesq_wb"), measured[0])
    scores: dict[str, list[float]] = {}
    for entry in results.entries:
        if entry.system in names and entry.condition == condition and column.name in entry.values:
            scores.setdefault(entry.recording, []).append(column.better * entry.values[column.name])
    ranked = sorted(scores, key=lambda name: float(np.mean(scores[name])))
    by_name = {item.recording.name: item for item in items if item.condition.name == condition}
    rest = ranked[WORST:]
    typical = [rest[i] for i in np.linspace(0, len(rest) - 1, min(TYPICAL, len(rest))).astype(int)]
    order = f"by {column.label}, mean over its rates"
    chosen = {
        f"The clips {family} does worst at ({order})": ranked[:WORST],
        f"Clips spread over the rest, worst to best ({order})": typical,
    }
    return {heading: [by_name[name] for name in names_shown] for heading, names_shown in chosen.items() if names_shown}


def _measure(pair: Pair) -> dict[str, str]:
    samples = pair.decoded[: SECONDS * SAMPLE_RATE]
    return {"sound": _sound(samples), "picture": _picture(samples)}


def _sound(samples: np.ndarray) -> str:
    target = io.BytesIO()
    soundfile.write(target, samples, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=0.88)
    return base64.b64encode(target.getvalue()).decode()


def _picture(samples: np.ndarray) -> str:
    import matplotlib
    from PIL import Image

    # A fixed width of time a pixel, so that the pictures of one clip line up.
    padded = np.pad(samples, (0, max(0, WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hanning(WINDOW)
    level = 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)).T / (WINDOW / 4) + 1e-9)
    shade = np.clip((level - FLOOR_DB) / (TOP_DB - FLOOR_DB), 0, 1)[::-1]
    pixels = (matplotlib.colormaps["magma"](shade)[..., :3] * 255).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR).save(target, "WEBP", quality=55)
    return base64.b64encode(target.getvalue()).decode()


EXHIBIT = Metric(
    "exhibit",
    (),
    ("soundfile", "matplotlib"),
    f"first {SECONDS} s; Ogg Opus at about 36 kbit/s; spectrogram of {WINDOW} samples, {FLOOR_DB:.0f} to {TOP_DB:.0f} dB",
    _measure,
)
