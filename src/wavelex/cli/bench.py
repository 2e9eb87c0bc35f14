"""`wavelex bench`: codecs of ours and of others over a test set, with intervals, a report and a regression gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wavelex.audio.recordings import list_recordings
from wavelex.bench.run.gate import Verdict
from wavelex.bench.run.results import Results
from wavelex.cli.stages import StageBar
from wavelex.codec.options import parse_target
from wavelex.errors import WavelexError
from wavelex.models import DEFAULT_MODEL
from wavelex.search.effort import DEFAULT_EFFORT

HEADLINE = ("pesq_wb", "stoi", "mel", "dnsmos_ovrl", "speaker", "wer")
"""What fits a terminal, or the first that were measured; the report has the rest."""


def default_cache() -> Path:
    """Where measurements are kept between runs."""
    from platformdirs import user_cache_path

    return user_cache_path("wavelex") / "bench.sqlite"


def bench(
    data: Annotated[Path, typer.Argument(help="Folder of recordings (its manifest.tsv is used if there is one), or a manifest.")],
    codec: Annotated[
        list[str] | None, typer.Option("--codec", "-c", help="Shipped model, checkpoint or training run; may be repeated.")
    ] = None,
    codebooks: Annotated[
        str, typer.Option("--codebooks", "-n", help="Codebook counts of --codec, with commas (default: 1, 2, 4, ... and all it has).")
    ] = "",
    effort: Annotated[str, typer.Option("--effort", "-e", help="Efforts of --codec, with commas.")] = str(DEFAULT_EFFORT),
    target: Annotated[
        str, typer.Option("--target", "-t", help="Targets of --codec besides, with commas: average bits a second or qualities, 0.7k,q4.")
    ] = "",
    conceal: Annotated[bool, typer.Option(help="Conceal lost frames of --codec.")] = True,
    peers: Annotated[str, typer.Option(help="Peers with commas: all, opus-6, codec2-1200, hf:CHECKPOINT@8, folder:DIR@KBPS, ...")] = "",
    lyra: Annotated[Path | None, typer.Option(help="Folder of Lyra V2's three model files.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Metrics with commas, or all. For words, WAVELEX_WHISPER may name a CTranslate2 Whisper folder.")
    ] = "all",
    conditions: Annotated[
        str, typer.Option(help="Conditions with commas: clean, noise-10, narrowband, clipped, quiet, loss-5, or all.")
    ] = "clean",
    kind: Annotated[str | None, typer.Option(help="Only recordings of this kind (a manifest's column).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many recordings, spread over the list.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report and the results.")] = Path("bench-output"),
    jobs: Annotated[int, typer.Option(min=1, help="Clips at a time, each on one thread.")] = 1,
    cache: Annotated[Path | None, typer.Option(help="File in which measurements are kept (default: the user's cache folder).")] = None,
    timing: Annotated[bool, typer.Option(help="Also measure speed and memory, in processes of their own.")] = True,
    against: Annotated[Path | None, typer.Option(help="Earlier results.json; exit with 1 if any figure is significantly worse.")] = None,
) -> None:
    """Measure codecs side by side. Leaves report.html, results.md, results.json, clips.jsonl and clips.parquet in --out.

    What was measured is kept by content, so a stopped run continues and a repeated one takes seconds.
    """
    # Imported late: their packages are in the bench extra.
    from wavelex.bench.report.html import write_html
    from wavelex.bench.report.markdown import write_markdown
    from wavelex.bench.run.benchmark import distinct, run, spread
    from wavelex.bench.run.conditions import choose as choose_conditions
    from wavelex.bench.run.gate import judge
    from wavelex.bench.systems.own import own
    from wavelex.bench.systems.peers import choose_peers
    from wavelex.bench.systems.system import Original, System
    from wavelex.metrics import choose as choose_metrics

    earlier = Results.load(against) if against else None
    recordings = [recording for recording in list_recordings(data) if kind in (None, recording.kind)]
    if not recordings:
        raise WavelexError(f"{data}: holds no recordings of the kind {kind!r}; see the manifest's column kind")
    recordings = spread(recordings, limit)
    chosen_metrics, chosen_conditions = choose_metrics(metrics), choose_conditions(conditions)
    others, missing = choose_peers(peers, lyra)
    targets = [aim for aim in (parse_target(text) for text in target.split(",") if text) if aim]
    models = codec or ([] if peers else [DEFAULT_MODEL])
    ours: list[System] = [
        system
        for model in models
        for system in own(model, _counts(codebooks, "--codebooks"), _counts(effort, "--effort"), targets, conceal)
    ]
    systems = distinct([*ours, *others])
    _make(out)
    console = Console()
    for why in missing.values():
        console.print(f"left out: {why}", style="yellow", highlight=False, markup=False)
    try:
        bar = StageBar()
        with bar.lines:
            results, gallery = run(
                recordings, [Original(), *systems], chosen_metrics, chosen_conditions, cache or default_cache(), jobs, timing, bar, missing
            )
    except KeyboardInterrupt:
        console.print("stopped; what is measured is kept, and the same command goes on from there")
        raise typer.Exit(130) from None
    results.save(out / "results.json")
    results.save_lines(out / "clips.jsonl")
    results.save_parquet(out / "clips.parquet")
    write_markdown(out / "results.md", results)
    write_html(out / "report.html", results, gallery)
    _print(console, results)
    told = f"{out / 'report.html'}: {results.about['wall_seconds']:.1f} s, {results.about['measured_now']} measured now"
    console.print(told, soft_wrap=True, markup=False)
    if earlier is not None:
        _judge(console, judge(results, earlier), against)
    if not results.entries:
        raise WavelexError(f"{data}: nothing could be measured; the failures above say why")


def _judge(console: Console, verdict: Verdict, against: Path | None) -> None:
    for text in verdict.incomparable:
        console.print(f"not compared: {text}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    for text in verdict.worse:
        console.print(f"worse: {text}", style="red", highlight=False, markup=False, soft_wrap=True)
    told = f"{verdict.compared} figures compared with {against}, {len(verdict.worse)} significantly worse"
    console.print(told, soft_wrap=True, markup=False)
    if verdict.worse:
        raise typer.Exit(1)
    if not verdict.compared:
        raise WavelexError(f"{against}: has no figure in common with this run; compare runs of the same systems and recordings")


def _counts(text: str, option: str) -> list[int]:
    try:
        return [int(n) for n in text.split(",") if n.strip()]
    except ValueError as error:
        raise WavelexError(f"{option} {text!r}: give numbers with commas, such as 1,2,4,8") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WavelexError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from error


def _print(console: Console, results: Results) -> None:
    from wavelex.bench.report.compare import shown_columns

    measured = shown_columns(results)
    columns = [column for column in measured if column.name in HEADLINE] or measured[:3]
    rate = results.column("kbps")
    for kind in results.kinds:
        for condition in results.conditions:
            table = Table(
                "system",
                "kbit/s",
                *(column.label for column in columns),
                "clips",
                title=escape(f"{kind}, {condition}"),
                title_justify="left",
            )
            for name in results.systems:
                tried = results.tried(kind, condition, name)
                if not tried:
                    continue
                known = results.mean(kind, condition, name, rate)
                cells = []
                for column in columns:
                    mean = results.mean(kind, condition, name, column)
                    half = 0.0 if mean is None else (mean.widest[1] - mean.widest[0]) / 2
                    cells.append("-" if mean is None else f"{mean.mean:.{column.digits}f} ±{half:.{column.digits}f}")
                whole = results.whole(kind, condition, name)
                table.add_row(escape(name), "-" if known is None else f"{known.mean:.2f}", *cells, f"{whole} of {tried}")
            console.print(table)
    for failure in results.failures:
        told = f"failed: {failure['system']}, {failure['recording']} ({failure['condition']}): {failure['reason']}"
        console.print(told, style="red", highlight=False, markup=False, soft_wrap=True)
