"""`wavelex race`: all designs at their small size, trained alike and measured side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
import typer
from rich.console import Console

from wavelex.audio.recordings import Recording, list_recordings
from wavelex.cli.stages import StageBar
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.metrics.base import Metric

if TYPE_CHECKING:
    from wavelex.race.laps import Race

METRICS = "pesq,stoi,mel,dnsmos,speaker"
"""Without words, which take longer than all the others."""


def race(
    train: Annotated[Path, typer.Argument(help="Recordings to train on: a folder, or a manifest with a path a line.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the runs, what was measured, and the page.")],
    test: Annotated[Path | None, typer.Option(help="Recordings to measure on, in none of which the trained ones are.")] = None,
    entrants: Annotated[str, typer.Option(help="Names with commas; all, designs, or ablations.")] = "all",
    hours: Annotated[float, typer.Option(help="Of audio that each hears.")] = 0.5,
    lap_minutes: Annotated[float, typer.Option(help="CPU minutes of a lap; then whoever has heard least goes on.")] = 12.0,
    laps: Annotated[int | None, typer.Option(min=0, help="At most so many laps now (default: until all have heard all).")] = None,
    score: Annotated[bool, typer.Option(help="Measure what they have learned when the laps are over.")] = True,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many test recordings, spread over the list.")] = 24,
    metrics: Annotated[str, typer.Option(help="Metrics with commas, or all.")] = METRICS,
) -> None:
    """Train codec designs by the same rules, in laps on one CPU thread; then measure them. Leaves race.md, race.html and results.json.

    Ctrl-C keeps what is done, and the same command goes on from there. Each run is a folder in --out with its weights.
    """
    # Imported late: their packages are in the train and bench extras.
    from wavelex.race.entrants import choose
    from wavelex.race.laps import Race
    from wavelex.race.rules import common_settings

    chosen, settings = choose(entrants), common_settings(hours)
    if not (math.isfinite(lap_minutes) and lap_minutes > 0):
        raise WavelexError(f"--lap-minutes {lap_minutes:g}: give more than 0")
    measuring = _measuring(test, metrics, limit) if score else None
    paths = [recording.path for recording in list_recordings(train)]
    torch.set_num_threads(1)
    console = Console()
    try:
        (out / "cache").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WavelexError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    running = Race(out, train, paths, chosen, settings, console)
    try:
        stopped = running.run(60 * lap_minutes, math.inf if laps is None else laps)
        if not stopped:
            _write(running, measuring, console)
    except KeyboardInterrupt:
        stopped = True
    if stopped:
        console.print("stopped; what is done is kept, and the same command goes on from there")
        raise typer.Exit(130)
    if failed := [standing for standing in running.standings.values() if standing.failure]:
        raise WavelexError(f"{len(failed)} of {len(chosen)} entrants failed; the lines above and {out / 'race.md'} say why")


def _measuring(test: Path | None, metrics: str, limit: int | None) -> tuple[list[Recording], tuple[Metric, ...]]:
    """Recordings and metrics, with all that can be refused before hours of training, refused."""
    from wavelex.bench.run.benchmark import spread
    from wavelex.metrics import choose

    if test is None:
        raise WavelexError("nothing to measure on; give recordings with --test, or --no-score")
    found = choose(metrics)
    for metric in found:
        # Its packages are there.
        _ = metric.version
    return spread(list_recordings(test), limit), found


def _write(running: Race, measuring: tuple[list[Recording], tuple[Metric, ...]] | None, console: Console) -> None:
    """The page, with the figures of those that have learned codes."""
    from wavelex.race.blocks import html, markdown
    from wavelex.race.page import TITLE, blocks
    from wavelex.race.score import score

    standings, scores = list(running.standings.values()), None
    if measuring and any(standing.has_codes for standing in standings):
        bar = StageBar()
        with bar.lines:
            scores = score(running.out, standings, *measuring, bar)
        scores.results.save(running.out / "results.json")
    elif measuring:
        console.print("nothing was measured: no codec has learned codes yet", style="yellow")
    made = blocks(standings, scores, running.recordings_hours)
    for name, text in (("race.md", markdown(TITLE, made)), ("race.html", html(TITLE, made))):
        with replacing(running.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    console.print(f"{running.out / 'race.md'} and race.html: {len(standings)} codecs", soft_wrap=True, markup=False)
