"""Rate-distortion curves with confidence bands, as SVG."""

from __future__ import annotations

import io
from itertools import cycle

from wavelex.bench.run.results import Results
from wavelex.metrics.base import Column

COLOURS = ("#c2185b", "#1565c0", "#2e7d32", "#ef6c00", "#6a1b9a", "#00838f", "#5d4037", "#9e9d24")
SHOWN = ("pesq_wb", "stoi", "mel", "dnsmos_ovrl", "speaker", "wer")
"""Columns with a curve, of those measured."""


def rate_curves(results: Results, kind: str, condition: str) -> dict[str, str]:
    """By column label: quality over kbit/s, a line a family, with the wider 95% interval as a band.

    Systems of unknown rate are not drawn; the original, where its figure means anything, is a dashed line.
    """
    columns = [column for column in results.columns if column.name in SHOWN]
    drawn = {column.label: _curve(results, kind, condition, column) for column in columns}
    return {label: svg for label, svg in drawn.items() if svg}


def _curve(results: Results, kind: str, condition: str, column: Column) -> str:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rate = results.column("kbps")
    families: dict[str, list[tuple[float, float, float, float]]] = {}
    for name, described in results.systems.items():
        kbps, mean = (results.mean(kind, condition, name, c) for c in (rate, column))
        if kbps is not None and mean is not None and described["family"] != "original":
            families.setdefault(described["family"], []).append((kbps.mean, mean.mean, *mean.widest))
    if not families:
        return ""
    figure, axis = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for (family, points), colour in zip(families.items(), cycle(COLOURS)):
        rates, means, low, high = zip(*sorted(points), strict=True)
        axis.fill_between(rates, low, high, color=colour, alpha=0.15, linewidth=0)
        if len(points) == 1:
            axis.vlines(rates, low, high, color=colour, alpha=0.4)
        axis.plot(rates, means, "o-", color=colour, label=family.replace("$", r"\$"), markersize=4.5, linewidth=1.6)
    untouched = results.mean(kind, condition, "original", column)
    if untouched is not None and column.name in ("dnsmos_ovrl", "wer"):
        axis.axhline(untouched.mean, color="#777", linestyle="--", linewidth=1, label="original")
    axis.set_xscale("log")
    ticks = [tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24) if axis.get_xlim()[0] <= tick <= axis.get_xlim()[1]]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set(xlabel="kbit/s (payload)", ylabel=f"{column.label} ({'more' if column.better > 0 else 'less'} is better)")
    axis.grid(alpha=0.25)
    axis.legend(frameon=False, fontsize=8)
    target = io.StringIO()
    # The same results give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "wavelex"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
    plt.close(figure)
    svg = target.getvalue()
    return svg[svg.index("<svg") :]
