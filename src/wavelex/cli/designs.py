"""The `designs` command."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from wavelex.designs import DESIGNS, build
from wavelex.designs.base import Design


def designs(
    name: Annotated[str | None, typer.Argument(help="One design, with all of its card.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the codec designs: size, rates, look-ahead, whether they stream, and where they come from."""
    from wavelex.designs import find

    chosen = [find(name)] if name else list(DESIGNS.values())
    rows = [describe(design) for design in chosen]
    if as_json:
        print(json.dumps(rows[0] if name else rows))
    elif name:
        for key, value in rows[0].items():
            print(f"{key.replace('_', ' '):24} {_lines(value)}")
    else:
        Console().print(_table(rows))


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
    table = Table("design", box=None, pad_edge=False)
    for heading in ("million parameters", "kHz", "frames/s", "codebooks", "kbit/s", "look-ahead, ms"):
        table.add_column(heading, justify="right")
    table.add_column("paper", overflow="fold")
    for row in rows:
        ahead = row["lookahead_ms"]
        table.add_row(
            row["design"],
            f"{row['parameters'] / 1e6:.1f}",
            f"{row['sample_rate'] / 1000:g}",
            f"{row['frame_rate']:g}",
            _books(row["codebook_sizes"]),
            f"{row['bits_per_second'] / 1000:.2f}",
            "whole signal" if ahead is None or math.isinf(ahead) else f"{ahead:.0f}",
            row["paper"],
        )
    return table


def _books(sizes: list[int]) -> str:
    """8 x 1024, or the range of the sizes."""
    return f"{len(sizes)} x {sizes[0]}" if len(set(sizes)) == 1 else f"{len(sizes)} x {min(sizes)} to {max(sizes)}"


def _lines(value: Any) -> str:
    if isinstance(value, list):
        return ("; " if value and isinstance(value[0], str) else ", ").join(map(str, value)) or "none"
    return "whole signal" if value is None else str(value)
