"""Sortable tables of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from wavelex.bench.run.statistics import Mean
from wavelex.metrics.base import Column


def table(heads: Sequence[str], rows: Iterable[str], hidden_id: str = "", hidden: bool = False, words: bool = False) -> str:
    """A sortable table of rows made by `row`; headings of `words` stand to the left."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    place = f' id="{hidden_id}"' if hidden_id else ""
    return (
        f'<div class="wide"{place}{" hidden" if hidden else ""}>'
        f'<table class="sortable{" words" if words else ""}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(cells: Iterable[str], own: bool = False) -> str:
    """A row of cells made by `cell`."""
    return f"<tr{' class=own' if own else ''}>{''.join(cells)}</tr>"


def cell(text: str, value: float | None = None, style: str = "", note: str = "") -> str:
    """Text to show, the number to sort by, and a title to hover over; `text` is escaped."""
    sort = "" if value is None else f' data-v="{value:.6g}"'
    kind = f' class="{style}"' if style else ""
    title = f' title="{escape(note)}"' if note else ""
    return f"<td{sort}{kind}{title}>{escape(text)}</td>"


def mean_cell(mean: Mean | None, column: Column, interval: bool = True) -> str:
    """A mean, half of its wider interval, and both intervals on hovering."""
    if mean is None:
        return '<td data-v=""></td>'
    digits = column.digits
    low, high = mean.widest
    note = (
        f"{mean.count} clips; 95% over clips {mean.clips[0]:.{digits + 1}f} to {mean.clips[1]:.{digits + 1}f}, "
        f"over speakers {mean.speakers[0]:.{digits + 1}f} to {mean.speakers[1]:.{digits + 1}f}"
    )
    spread = f" <small>±{(high - low) / 2:.{digits}f}</small>" if interval else ""
    return f'<td data-v="{mean.mean:.6g}" title="{note}">{mean.mean:.{digits}f}{spread}</td>'
