"""The tables of quality: side by side at each bit rate, ablations as paired differences, and how codes are used."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wavelex.bench.report.compare import quality_columns
from wavelex.bench.run.results import Results
from wavelex.metrics.base import Column
from wavelex.race.blocks import Block, Cell, measured, plain
from wavelex.race.entrants import DESIGN_GROUP, Entrant, known
from wavelex.race.score import RATES, Scores

SHOWN = ("pesq_wb", "stoi", "mel", "dnsmos_p808", "speaker", "wer")
"""Columns of a table, of those measured; where there are none of them, the first few."""


def shown_columns(results: Results) -> list[Column]:
    """The figures that tables have."""
    measured_columns = quality_columns(results)
    return [column for column in measured_columns if column.name in SHOWN] or measured_columns[:3]


def rate_block(scores: Scores, kind: str, columns: Sequence[Column], rate: float, title: str) -> Block:
    """All designs at a rate, the best of the first column first, and the recordings themselves."""
    entered = [name for name, way in scores.ways.items() if way.rate == rate and way.entrant.group == DESIGN_GROUP]

    def worth(name: str) -> float:
        mean = scores.results.mean(kind, "clean", name, columns[0]) if columns else None
        return -math.inf if mean is None else mean.mean * columns[0].better

    rows = [_row(scores, kind, columns, name) for name in (*sorted(entered, key=worth, reverse=True), "original")]
    return Block(f"{_told(rate)}{title}", (), _heads(columns), rows)


def ablation_blocks(scores: Scores, kind: str, columns: Sequence[Column], group: str, title: str) -> list[Block]:
    """Each member beside what it is compared with, rate by rate, and the differences between them."""
    measured_names = {way.entrant.name for way in scores.ways.values()}
    members = [entrant for name, entrant in known().items() if entrant.group == group and name in measured_names]
    pairs = _pairs(scores, members)
    shown = dict.fromkeys(name for _, _, theirs, ours in pairs for name in (theirs, ours))
    about = [f"{member.name}: {member.about}." for member in members]
    differences = [
        [
            Cell(f"{member.name}, {member.against}"),
            Cell(_told(rate), rate),
            *(_difference(scores.results, kind, ours, theirs, column) for column in columns),
        ]
        for member, rate, theirs, ours in pairs
    ]
    told = "Differences of means, clip by clip, with their 95% intervals; the verdict is a draw where the interval holds 0."
    return [
        Block(f"Ablation: {group}{title}", about, _heads(columns), [_row(scores, kind, columns, name) for name in shown]),
        Block(f"Differences: {group}{title}", [told], ["codec, against", "rate", *(column.label for column in columns)], differences),
    ]


def _told(rate: float) -> str:
    return f"Above {RATES[-1] / 1000:g} kbit/s" if math.isinf(rate) else f"Up to {rate / 1000:g} kbit/s"


def _heads(columns: Sequence[Column]) -> list[str]:
    arrows = {1: " ↑", -1: " ↓"}
    return ["codec", "codebooks", "kbit/s", "kbit/s written", "tokens/s", *(f"{c.label}{arrows[c.better]}" for c in columns), "clips"]


def _row(scores: Scores, kind: str, columns: Sequence[Column], name: str) -> list[Cell]:
    results, way = scores.results, scores.ways.get(name)
    means = [results.mean(kind, "clean", name, column) for column in columns]
    written, tokens = (results.mean(kind, "clean", name, results.column(column)) for column in ("kbps", "tokens"))
    counted = [mean.count for mean in means if mean is not None]
    return [
        Cell(way.entrant.name if way else "the recordings themselves"),
        plain(way.codebooks if way else None, 0),
        plain(way.bitrate / 1000 if way else None, 2),
        plain(written.mean if written else None, 2),
        plain(tokens.mean if tokens else None, 0),
        *(measured(mean, column) for mean, column in zip(means, columns, strict=True)),
        Cell(f"{min(counted, default=0)} of {results.tried(kind, 'clean', name)}"),
    ]


def _pairs(scores: Scores, members: Sequence[Entrant]) -> list[tuple[Entrant, float, str, str]]:
    """Each member and a rate at which it and what it is compared with were measured; the systems of the two, its own last."""
    systems = {(way.entrant.name, way.rate): name for name, way in scores.ways.items()}
    rates = sorted({way.rate for way in scores.ways.values()})
    keys = [(member, rate, (member.against, rate), (member.name, rate)) for member in members for rate in rates]
    return [(member, rate, systems[theirs], systems[ours]) for member, rate, theirs, ours in keys if {theirs, ours} <= set(systems)]


def _difference(results: Results, kind: str, ours: str, theirs: str, column: Column) -> Cell:
    found = results.compare(kind, "clean", ours, theirs, column)
    if found is None:
        return Cell("-")
    low, high = (f"{end:+.{column.digits}f}" for end in found.interval)
    verdict = "draw" if not found.significant else "better" if found.difference * column.better > 0 else "worse"
    return Cell(f"{found.difference:+.{column.digits}f} ({low} to {high}), {verdict}", found.difference)


def codes_block(scores: Scores) -> Block:
    """Which share of the codes is used, and how evenly."""
    last = {way.entrant.name: name for name, way in scores.ways.items()}
    rows = []
    for owner, name in last.items():
        books = scores.results.systems[name].get("codebooks", [])
        if not books:
            continue
        used, entropy, most = (np.array([book[key] for book in books]) for key in ("used", "entropy", "size"))
        sizes = f"{int(most.min())}" if most.min() == most.max() else f"{int(most.min())} to {int(most.max())}"
        numbers = [plain(100 * float(used.mean()), 1), plain(100 * float(used.min()), 1), plain(float(entropy.mean()), 2)]
        rows.append([Cell(owner), plain(len(books), 0), Cell(sizes), *numbers, plain(float(np.log2(most).mean()), 2)])
    told = "Over all recordings, with the most codebooks that were scored. Few recordings cannot show all codes of a large codebook."
    heads = ["codec", "codebooks", "codes", "in use, % (mean)", "in use, % (least)", "entropy a code, bits", "of at most, bits"]
    return Block("Codes", [told], heads, rows)
