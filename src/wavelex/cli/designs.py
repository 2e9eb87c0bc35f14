"""The `designs` command."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from wavelex.designs import DESIGNS, build, find
from wavelex.designs.base import Design

NARROWEST = 96
"""Columns of a terminal, or of a file that takes its place, below which the table would lose names."""


def designs(
    name: Annotated[str | None, typer.Argument(help="One design, with all of its card.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the codec designs: size, rates, look-ahead, whether they stream, and where they come from."""
    chosen = [find(name)] if name else list(DESIGNS.values())
    rows = [describe(design) for design in chosen]
    if as_json:
        print(json.dumps(rows[0] if name else rows))
    elif name:
        for key, value in rows[0].items():
            print(f"{key.replace('_', ' '):24} {_lines(value)}")
    else:
        console = Console(width=max(Console().width, NARROWEST))
        console.print(_table(rows))
        console.print("million: parameters; ahead: look-ahead, all where the whole signal is needed", style="dim")


def describe(design: Design) -> dict[str, Any]:
    """What there is to know of a design, figures read off the model itself."""
    # Without memory: the largest are gigabytes.
    with torch.device("meta"):
        model = build(design.name)
    return {
        "design": design.name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "sample_rate": model.sample_rate,
        "frame_rate": round(model.frame_rate, 3),
        "codebooks": model.codebooks,
        "codebook_sizes": model.codebook_sizes,
        "bits_per_second": round(model.bitrate(model.codebooks), 1),
        "lookahead_ms": round(1000 * model.lookahead / model.sample_rate, 2) if model.streams else None,
        "streams": model.streams,
        "paper": design.card.paper,
        "summary": design.card.summary,
        "aims_at": design.card.aims_at,
        "published_parameters": round(design.card.parameters * 1e6) or None,
        "licence_of_weights": design.card.licence,
        "deviations": list(design.card.deviations),
        "covers": list(design.card.covers),
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("design", no_wrap=True)
    for heading in ("million", "kHz", "frames/s", "codebooks", "kbit/s", "ahead, ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("paper", overflow="ellipsis", no_wrap=True)
    for row in rows:
        ahead = row["lookahead_ms"]
        table.add_row(
            row["design"],
            f"{row['parameters'] / 1e6:.1f}",
            f"{row['sample_rate'] / 1000:g}",
            f"{row['frame_rate']:g}",
            _books(row["codebook_sizes"]),
            f"{row['bits_per_second'] / 1000:.2f}",
            "all" if ahead is None else f"{ahead:.0f}",
            _arxiv(row["paper"]),
        )
    return table


def _arxiv(paper: str) -> str:
    """The number of a paper, or nothing."""
    found = re.search(r"arXiv \d{4}\.\d{4,5}", paper)
    return found[0] if found else ""


def _books(sizes: list[int]) -> str:
    """8x1024, or the range of the sizes."""
    return f"{len(sizes)}x{sizes[0]}" if len(set(sizes)) == 1 else f"{len(sizes)}x{min(sizes)}-{max(sizes)}"


def _lines(value: Any) -> str:
    if isinstance(value, list):
        return ("; " if value and isinstance(value[0], str) else ", ").join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
