"""Draw PESQ and STOI on held-out recordings over the hours of audio that training has seen.

python benchmarks/curve.py RUN/evaluations.jsonl docs/dev-curve.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

from wavelex.files import replacing

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluations", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.evaluations.read_text().splitlines()]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axis, metric in zip(axes, ("pesq", "stoi"), strict=True):
        for count in sorted({int(count) for row in rows for count in row[metric]}, reverse=True):
            points = [(row["hours"], row[metric][str(count)]) for row in rows if str(count) in row[metric]]
            label = f"{count} codebooks" if count else "no codes"
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label, linestyle="-" if count else ":")
        axis.set(xlabel="hours of audio seen", ylabel="PESQ-WB" if metric == "pesq" else "STOI")
        axis.grid(alpha=0.3)
    axes[0].legend()
    with replacing(options.picture) as temporary:
        figure.savefig(temporary, format="svg")


if __name__ == "__main__":
    main()
