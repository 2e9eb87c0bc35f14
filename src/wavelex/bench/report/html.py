"""The results as one page that needs nothing else: curves, tables, players, spectrograms, and everything that made them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path

from wavelex.bench.report.compare import compare_all, families, kbps, quality_columns, shown_columns
from wavelex.bench.report.markdown import TIMED
from wavelex.bench.report.plots import rate_curves
from wavelex.bench.report.tables import cell, mean_cell, row, table
from wavelex.bench.run.exhibit import Gallery
from wavelex.bench.run.results import Results
from wavelex.bench.run.scoring import Item
from wavelex.files import replacing

CARD_COLUMNS = ("pesq_wb", "stoi")
"""What a player says of its clip."""


def write_html(path: Path, results: Results, gallery: Gallery) -> None:
    """Complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(page(results, gallery), encoding="utf-8")


def page(results: Results, gallery: Gallery) -> str:
    """The whole page."""
    own, _ = families(results)
    body = [_head(results)]
    for kind in results.kinds:
        for condition in results.conditions:
            body += _section(results, kind, condition, set(own))
    body += [_clips(results, gallery, set(own)), _codebooks(results), _speed(results), _absent(results), _made_by(results)]
    return document("Speech codecs compared", body)


def document(title: str, body: Iterable[str]) -> str:
    """A page that needs nothing else, of parts in HTML."""
    style, script = ((resources.files("wavelex.bench.report") / name).read_text() for name in ("page.css", "page.js"))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head><body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(body)
        + f"\n<script>\n{script}</script>\n</body></html>\n"
    )


def _head(results: Results) -> str:
    about = results.about
    links = [(f"{kind}-{condition}", f"{kind}, {condition}") for kind in results.kinds for condition in results.conditions]
    links += [("clips", "listen"), ("codebooks", "codebooks"), ("speed", "speed"), ("absent", "not measured"), ("made", "versions")]
    return (
        f"<p>{about['recordings']} recordings, {about['seconds'] / 60:.1f} minutes, {about['speakers']} named speakers; "
        f"{len(results.systems)} systems, "
        f"{len(results.metrics)} metrics. Made {escape(about['date'])} by</p><pre>{escape(about['command'])}</pre>"
        "<nav>" + "".join(f'<a href="#{escape(name)}">{escape(text)}</a>' for name, text in links) + "</nav>"
        "<p>Means over clips; ± is half of the 95% bootstrap interval, the wider of that over clips and that over speakers "
        "(hover for both). "
        "Everything is compared at 16 kHz mono with what the codec was given, after its delay is removed. "
        "kbit/s counts the payload, "
        "file kbit/s every byte that the decoder gets. A clip that a metric refuses is counted and listed, never scored.</p>"
    )


def _section(results: Results, kind: str, condition: str, own: set[str]) -> list[str]:
    place = f"{kind}-{condition}"
    curves = rate_curves(results, kind, condition)
    figures = "".join(f"<figure>{svg}</figure>" for svg in curves.values())
    return [
        f'<h2 id="{escape(place)}">{escape(kind.capitalize())}, {escape(condition)}</h2>',
        f'<h3>Rate and quality</h3><p>Bands are 95% intervals.</p><div class="curves">{figures}</div>' if figures else "",
        "<h3>All figures</h3><p>Click a heading to sort.</p>",
        _means(results, kind, condition, own),
        _comparisons(results, kind, condition, place),
    ]


def _means(results: Results, kind: str, condition: str, own: set[str]) -> str:
    rates = [results.column(name) for name in ("kbps", "file_kbps", "tokens", "delay_ms")]
    quality = shown_columns(results)
    rows = []
    for name in results.systems:
        of = results.tried(kind, condition, name)
        if not of:
            continue
        scored = results.whole(kind, condition, name)
        cells = [cell(name)]
        cells += [mean_cell(results.mean(kind, condition, name, column), column, interval=False) for column in rates]
        cells += [mean_cell(results.mean(kind, condition, name, column), column) for column in quality]
        rows.append(row([*cells, cell(f"{scored} of {of}", scored)], name in own))
    arrows = {1: " ↑", -1: " ↓", 0: ""}
    heads = ["system", *(c.label for c in rates), *(c.label + arrows[c.better] for c in quality), "clips without refusal"]
    return table(heads, rows)


def _comparisons(results: Results, kind: str, condition: str, place: str) -> str:
    ours, peers = families(results)
    found = {(c.ours, c.peer, c.column.name): c for c in compare_all(results, kind, condition)}
    if not found:
        return ""
    columns = quality_columns(results)
    rates = {name: kbps(results, kind, condition, name) for name in [*ours, *peers]}
    options, tables = [], []
    for number, name in enumerate(ours):
        rows = []
        for other in peers:
            rate = rates[other]
            cells = [cell(other), cell("" if rate is None else f"{rate:.2f}", rate)]
            for column in columns:
                comparison = found.get((name, other, column.name))
                if comparison is None:
                    cells.append('<td data-v=""></td>')
                    continue
                low, high = comparison.found.interval
                digits = column.digits + 1
                sure = f"certainty {comparison.found.certainty:.1%}, {comparison.found.count} clips"
                note = f"95% {low:+.{digits}f} to {high:+.{digits}f}, {sure}"
                text = f"{comparison.found.difference:+.{column.digits}f}"
                style = "" if comparison.verdict == "level" else comparison.verdict
                cells.append(cell(text, comparison.found.difference, style, note))
            rows.append(row(cells))
        target = f"versus-{place}-{number}"
        rate = rates[name]
        given = "" if rate is None else f" ({rate:.2f} kbit/s)"
        options.append(f'<option value="{escape(target)}"{" selected" if number == len(ours) - 1 else ""}>{escape(name + given)}</option>')
        tables.append(table(["minus", "kbit/s", *(c.label for c in columns)], rows, escape(target), hidden=True))
    return (
        '<h3>Paired comparison</h3><p>The mean difference over the clips that both could be scored on, of <select class="choice">'
        + "".join(options)
        + '</select> minus each other system: <span class="better">green</span> where it is better '
        'and <span class="worse">red</span> where it is worse, '
        "if the 95% interval leaves out zero. Hover for the interval.</p>" + "".join(tables)
    )


def _clips(results: Results, gallery: Gallery, own: set[str]) -> str:
    if not gallery.chosen:
        return ""
    entries = {(e.recording, e.condition, e.system): e for e in results.entries}
    columns = [column for column in results.columns if column.name in CARD_COLUMNS]
    parts = [
        '<h2 id="clips">Listen</h2><p>The first 8 s of each clip. Players hold Ogg Opus at about 36 kbit/s, so the finest '
        "differences are not to be judged here; "
        "the pictures show 0 to 8 kHz.</p>"
    ]
    for heading, items in gallery.chosen.items():
        parts.append(f"<h3>{escape(heading)}</h3>")
        for number, item in enumerate(items):
            cards = []
            for name in results.systems:
                made = gallery.made.get((item, name))
                if made is None:
                    continue
                entry = entries.get((item.recording.name, item.condition.name, name))
                told = ", ".join(f"{c.label} {entry.values[c.name]:.2f}" for c in columns if entry and c.name in entry.values)
                cards.append(
                    f'<div class="card{" own" if name in own else ""}"><small>{escape(told)}</small><b>{escape(name)}</b>'
                    f'<img loading="lazy" alt="spectrogram, {escape(name)}" src="data:image/webp;base64,{made.picture}">'
                    f'<audio controls preload="none" src="data:audio/ogg;base64,{made.sound}"></audio></div>'
                )
            parts.append(
                f"<details{' open' if number == 0 else ''}><summary>{_clip_title(item)}</summary>"
                f"<div class=cards>{''.join(cards)}</div></details>"
            )
    return "\n".join(parts)


def _clip_title(item: Item) -> str:
    recording = item.recording
    known = ", ".join(filter(None, [recording.speaker, recording.language, item.condition.name]))
    said = f" “{escape(recording.text)}”" if recording.text else ""
    return f"<b>{escape(recording.name)}</b> <small>{escape(known)}{said}</small>"


def _codebooks(results: Results) -> str:
    rows = [
        row(
            [
                cell(name),
                cell(str(number + 1), number + 1),
                cell(str(book["size"]), book["size"]),
                cell(f"{book['used']:.1%}", book["used"]),
                cell(f"{book['perplexity']:.0f}", book["perplexity"]),
                cell(f"{book['entropy']:.2f}", book["entropy"]),
            ]
        )
        for name, system in results.systems.items()
        for number, book in enumerate(system.get("codebooks", []))
    ]
    if not rows:
        return ""
    body = table(["system", "codebook", "codes", "in use", "perplexity", "entropy, bits"], rows)
    told = f"Usage, perplexity and entropy of {len(rows)} codebooks over everything measured"
    return f'<h2 id="codebooks">Codebooks</h2><details><summary>{told}</summary>{body}</details>'


def _speed(results: Results) -> str:
    rows = []
    for name, system in results.systems.items():
        found = system.get("performance")
        if found is None:
            continue
        latency = system["latency"]
        shown = cell("" if latency is None else f"{1000 * latency:.1f}", latency)
        if "error" in found:
            rows.append(row([cell(name), *[cell("")] * 5, shown, cell(found["error"], style="text")]))
            continue
        numbers = [cell(f"{found[key]:.0f}", found[key]) if key in found else cell("") for key in TIMED]
        rows.append(row([cell(name), *numbers, shown, cell(str(found["load"]), found["load"])]))
    if not rows:
        return ""
    heads = ["system", "encode, 1 thread", "decode, 1 thread", "encode, all", "decode, all", "peak MB", "latency ms", "load"]
    return (
        '<h2 id="speed">Speed, memory, latency</h2><p>Times real time for a 10 s clip in a process of its own, '
        "the best of three after a warm-up. "
        "A peer that is a program is started for each clip, which counts. "
        "Peak memory includes the interpreter where the codec runs in one. "
        f"{escape(results.about['machine'])}; the load is that of the machine at the time.</p>" + table(heads, rows)
    )


def _absent(results: Results) -> str:
    rows = [row([cell(name), cell(""), cell(""), cell(why, style="text")]) for name, why in results.missing.items()]
    rows += [
        row([cell(f["system"]), cell(f["recording"]), cell(f["condition"]), cell(f["reason"], style="text")]) for f in results.failures
    ]
    rows += [
        row([cell(entry.system), cell(entry.recording), cell(entry.condition), cell(reason, style="text")])
        for entry in results.entries
        for reason in entry.refusals.values()
    ]
    body = (
        table(["system", "clip", "condition", "why"], rows, words=True)
        if rows
        else "<p>Nothing: every system was run on every clip, and every metric that applies scored it.</p>"
    )
    return f'<h2 id="absent">Not measured</h2>{body}'


def _made_by(results: Results) -> str:
    about = results.about
    metrics = table(
        ["metric", "version", "settings"],
        [
            row([cell(name), cell(made["version"], style="text"), cell(made["settings"], style="text")])
            for name, made in results.metrics.items()
        ],
        words=True,
    )
    systems = table(
        ["system", "what made its output"],
        [
            row([cell(name), cell(", ".join(f"{key} {value}" for key, value in system["about"].items()), style="text")])
            for name, system in results.systems.items()
        ],
        words=True,
    )
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    return (
        f'<h2 id="made">Versions and settings</h2><p>wavelex {escape(about["wavelex"])}, Python {escape(about["python"])}, '
        f"{escape(packages)}; "
        f"{escape(about['machine'])}; content of the recordings {about['data_hash']}; wall time {about['wall_seconds']:.0f} s, "
        f"{about['measured_now']} clips through a system measured in this run, the rest from the cache.</p>{metrics}<p></p>{systems}"
    )
