"""Draw PESQ-WB over bit rate from the table that `wavelex bench` wrote.

python benchmarks/rate_distortion.py docs/results.md docs/images/rate-distortion.svg
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

import matplotlib

from wavelex.files import replacing

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SYSTEMS = {
    "speech-16k": ("speech-16k (Wavelex)", "#b3261e", "o"),
    "lyra": ("Lyra V2", "#1f4e79", "s"),
    "opus": ("Opus 1.3.1", "#2e7d32", "^"),
    "amrwb": ("AMR-WB", "#6a1b9a", "D"),
    "speex": ("Speex wideband", "#8d6e00", "v"),
    "codec2": ("Codec 2", "#555555", "P"),
}
"""How the table's systems are called, by the beginning of their names, and drawn."""

Points = dict[str, list[tuple[float, float, float]]]


def read_table(text: str) -> Points:
    """Bit rate, PESQ-WB and half of its interval of each system, from the first table with those columns."""
    points: Points = defaultdict(list)
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "PESQ-WB" in cells:
            columns = cells
        elif columns and not line.startswith("|"):
            return points
        elif columns and (family := re.match("|".join(SYSTEMS), cells[0])):
            quality, half = cells[columns.index("PESQ-WB")].split(" ±")
            points[family[0]].append((float(cells[columns.index("kbit/s")]), float(quality), float(half)))
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    # Without this every run would write other bytes.
    plt.rcParams.update({"svg.hashsalt": "wavelex", "font.size": 11})
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for family, points in read_table(options.results.read_text()).items():
        label, colour, marker = SYSTEMS[family]
        rates, qualities, halves = zip(*sorted(points), strict=True)
        bold = 2.2 if family == "speech-16k" else 1.2
        axis.errorbar(rates, qualities, halves, label=label, color=colour, marker=marker, linewidth=bold, markersize=6, capsize=2)
    axis.set(xlabel="bit rate as written, kbit/s", ylabel="PESQ-WB", xscale="log", ylim=(1.3, 3.3))
    ticks = (0.3, 0.5, 1, 2, 3, 4, 6, 8)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper left", fontsize=9, frameon=False)
    with replacing(options.picture) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
