"""Headings, paragraphs and tables, as Markdown and as a page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from wavelex.bench.report.html import document
from wavelex.bench.report.markdown import escaped, number
from wavelex.bench.report.tables import cell, row, table
from wavelex.bench.run.statistics import Mean
from wavelex.metrics.base import Column


@dataclass(frozen=True)
class Cell:
    """What a table shows, and by what it is sorted."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Block:
    """A heading with paragraphs and a table under it; without rows there is no table."""

    title: str
    paragraphs: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = field(default_factory=list)


def measured(mean: Mean | None, column: Column) -> Cell:
    """A mean with half of its interval."""
    return Cell(number(mean, column), None if mean is None else mean.mean)


def plain(value: float | None, digits: int) -> Cell:
    """A number without an interval."""
    return Cell("-" if value is None else f"{value:.{digits}f}", value)


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """All of it, with the title as the first heading."""
    lines = [f"# {escaped(title)}"]
    for block in blocks:
        lines += ["", f"## {escaped(block.title)}"] if block.title else []
        for paragraph in block.paragraphs:
            lines += ["", escaped(paragraph)]
        if block.rows:
            lines += ["", f"| {' | '.join(map(escaped, block.heads))} |", "|" + "---|" * len(block.heads)]
            lines += [f"| {' | '.join(escaped(each.text) for each in cells)} |" for cells in block.rows]
    return "\n".join(lines) + "\n"


def html(title: str, blocks: Sequence[Block]) -> str:
    """The same as one file; a click on a heading sorts a table."""
    body = []
    for block in blocks:
        body += [f"<h2>{escape(block.title)}</h2>"] if block.title else []
        body += [f"<p>{escape(paragraph)}</p>" for paragraph in block.paragraphs]
        if block.rows:
            body.append(table(block.heads, [row([cell(each.text, each.value) for each in cells]) for cells in block.rows]))
    return document(title, body)
