"""The results as a page of Markdown: the table, and where the codec under test loses, in plain words."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from wavelex.bench.report.compare import Comparison, compare_all, families, kbps, shown_columns
from wavelex.bench.run.results import Results
from wavelex.bench.run.statistics import Mean
from wavelex.files import replacing
from wavelex.metrics.base import Column

TIMED = ("encode_x_one", "decode_x_one", "encode_x_all", "decode_x_all", "peak_mb")
"""What a timed system has; of programs the memory is not known."""
ALIKE = 1.10
"""Rates this close are called equal."""


def write_markdown(path: Path, results: Results) -> None:
    """Complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(markdown(results), encoding="utf-8")


def markdown(results: Results) -> str:
    about = results.about
    lines = [
        "# Results",
        "",
        "Written by the command below; edit the command, not this page.",
        "",
        f"    {' '.join(about['command'].split())}",
        "",
        f"{about['recordings']} recordings, {about['seconds'] / 60:.1f} minutes, {about['speakers']} named speakers "
        f"(content {about['data_hash']}). {about['date']}, {escaped(about['machine'])}; wavelex {about['wavelex']}, "
        f"Python {about['python']}, "
        + ", ".join(f"{name} {version}" for name, version in about["packages"].items())
        + f". Wall time {about['wall_seconds']:.0f} s, in which {about['measured_now']} pairs of clip and system were measured; "
        "the rest was kept from before.",
        "",
        "Means; ± is half of the 95% bootstrap interval, the wider of that over clips and that over speakers. Everything is compared "
        "at 16 kHz mono with what the codec was given; the delay is measured and removed. "
        "kbit/s counts the payload, file kbit/s every byte the decoder gets.",
    ]
    for kind in results.kinds:
        for condition in results.conditions:
            lines += ["", f"## {escaped(kind.capitalize())}, {condition}", "", *_table(results, kind, condition)]
            lines += ["", *_losses(results, kind, condition)]
    lines += ["", *_codebooks(results), *_speed(results), *_absent(results), *_versions(results)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that may hold anything, such as a file's name, as it is to be read: on one line, no tags, marks or cells of its own."""
    return re.sub(r"([\\`*\[\]|])", r"\\\1", escape(" ".join(text.split()), quote=False))


def number(mean: Mean | None, column: Column) -> str:
    """A mean with half of its interval."""
    if mean is None:
        return "-"
    low, high = mean.widest
    return f"{mean.mean:.{column.digits}f} ±{(high - low) / 2:.{column.digits}f}"


def _table(results: Results, kind: str, condition: str) -> list[str]:
    quality = shown_columns(results)
    rates = [results.column(name) for name in ("kbps", "file_kbps", "tokens", "delay_ms")]
    lines = [
        "| system | " + " | ".join(column.label for column in [*rates, *quality]) + " | clips |",
        "|" + "---|" * (len(rates) + len(quality) + 2),
    ]
    for name in results.systems:
        if not results.tried(kind, condition, name):
            continue
        means = {column.name: results.mean(kind, condition, name, column) for column in [*rates, *quality]}
        cells = [_plain(means[column.name], column) for column in rates] + [number(means[column.name], column) for column in quality]
        whole = [mean.count for column in quality if (mean := means[column.name]) is not None]
        counted = f"{min(whole)}-{max(whole)}" if whole and min(whole) != max(whole) else str(whole[0] if whole else 0)
        lines.append(f"| {escaped(name)} | " + " | ".join(cells) + f" | {counted} of {results.tried(kind, condition, name)} |")
    return lines


def _plain(mean: Mean | None, column: Column) -> str:
    return "-" if mean is None else f"{mean.mean:.{column.digits}f}"


def _losses(results: Results, kind: str, condition: str) -> list[str]:
    ours, peers = families(results)
    comparisons = compare_all(results, kind, condition)
    rates = {name: kbps(results, kind, condition, name) for name in [*ours, *peers]}
    lines = ["### Where it loses", ""] if comparisons else []
    for name in ours:
        rate = rates[name]
        groups: dict[str, list[str]] = {"at no more bits": [], "at more bits": [], "at an unknown rate": []}
        for other in peers:
            lost = [c for c in comparisons if (c.ours, c.peer) == (name, other) and c.verdict == "worse"]
            if not lost:
                continue
            theirs = rates[other]
            where = (
                "at an unknown rate" if theirs is None or rate is None else "at no more bits" if theirs <= rate * ALIKE else "at more bits"
            )
            given = "" if theirs is None else f" ({theirs:.2f} kbit/s)"
            groups[where].append(f"{escaped(other)}{given}: " + ", ".join(map(_said, lost)))
        given = "" if rate is None else f" ({rate:.2f} kbit/s)"
        lines.append(f"**{escaped(name)}**{given} is significantly worse (95%, paired) than")
        told = [f"- {where}: {entry}" for where, members in groups.items() for entry in members]
        lines += ["", *(told or ["- none of the others in any figure"]), ""]
    return lines


def _said(comparison: Comparison) -> str:
    digits = comparison.column.digits
    return f"{comparison.column.label} {comparison.found.difference:+.{digits}f}"


def _codebooks(results: Results) -> list[str]:
    described = {name: system["codebooks"] for name, system in results.systems.items() if system.get("codebooks")}
    if not described:
        return []
    lines = [
        "## Codebooks",
        "",
        "Over everything measured: share of the codes in use, perplexity, and entropy in bits, codebook by codebook (the first 8).",
        "",
    ]
    lines += ["| system | in use | perplexity | entropy |", "|---|---|---|---|"]
    for name, books in described.items():
        used, perplexity, entropy = (
            " ".join(f"{scale * book[key]:.{digits}f}" for book in books[:8]) + (" ..." if len(books) > 8 else "")
            for key, scale, digits in (("used", 100, 0), ("perplexity", 1, 0), ("entropy", 1, 2))
        )
        lines.append(f"| {escaped(name)} | {used} % | {perplexity} | {entropy} |")
    return [*lines, ""]


def _speed(results: Results) -> list[str]:
    timed = {name: system["performance"] for name, system in results.systems.items() if "performance" in system}
    if not timed:
        return []
    lines = [
        "## Speed, memory, latency",
        "",
        "Times real time for a 10 s clip in a process of its own, the best of three after a warm-up; a peer's program is started for each "
        "clip, which counts. Peak memory includes the interpreter where the codec runs in one. "
        "The last column is the load of the machine at the time.",
        "",
        "| system | encode, 1 thread | decode, 1 thread | encode, all | decode, all | peak MB | algorithmic latency ms | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in timed.items():
        latency = results.systems[name]["latency"]
        shown = "-" if latency is None else f"{1000 * latency:.1f}"
        if "error" in found:
            lines.append(f"| {escaped(name)} | {escaped(found['error'])} | | | | | {shown} | |")
            continue
        cells = [f"{found[key]:.0f}" if key in found else "-" for key in TIMED]
        lines.append(f"| {escaped(name)} | " + " | ".join(cells) + f" | {shown} | {found['load']} |")
    return [*lines, ""]


def _absent(results: Results) -> list[str]:
    told = [escaped(f"{name}: {why}") for name, why in results.missing.items()]
    told += [escaped(f"{f['system']}, {f['recording']} ({f['condition']}): {f['reason']}") for f in results.failures]
    refused: dict[str, list[str]] = {}
    for entry in results.entries:
        for reason in entry.refusals.values():
            refused.setdefault(f"{entry.recording} ({entry.condition}): {reason}", []).append(entry.system)
    told += [f"{escaped(where)} ({len(names)} of {len(results.systems)} systems)" for where, names in refused.items()]
    return ["## Not measured", "", *(f"- {line}" for line in told), ""] if told else []


def _versions(results: Results) -> list[str]:
    lines = ["## Metrics and systems", "", "| metric | version | settings |", "|---|---|---|"]
    lines += [f"| {name} | {escaped(made['version'])} | {escaped(made['settings'])} |" for name, made in results.metrics.items()]
    lines += ["", "| system | what it is |", "|---|---|"]
    lines += [
        f"| {escaped(name)} | {escaped(', '.join(f'{key} {value}' for key, value in system['about'].items()))} |"
        for name, system in results.systems.items()
    ]
    return lines
