"""`wavelex eval`: mean quality of a codec at several rates, beside peers in the same run."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wavelex.bench.evaluation import ClipScore, Summary, Transcoder, score_file, summarize, transcoder
from wavelex.bench.peers import peer
from wavelex.cli.common import Json, Model
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.hub import DEFAULT_MODEL, load
from wavelex.training.data import list_recordings


def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder of recordings, or a manifest with a path a line.")],
    model: Model = DEFAULT_MODEL,
    codebooks: Annotated[str, typer.Option("--codebooks", "-n", help="Codebook counts, with commas.")] = "1,2,4,8",
    peers: Annotated[str, typer.Option(help="Peers, with commas: codec2-MODE, opus-KBPS.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Clips at a time, each on one thread.")] = 1,
    clips_out: Annotated[Path | None, typer.Option("--clips", help="Also write one JSON line a clip and system here.")] = None,
    as_json: Json = False,
) -> None:
    """PESQ-WB, STOI, rate and speed over a test set. Clips that a metric refuses are counted, never scored."""
    paths = list_recordings(data)
    try:
        counts = [int(n) for n in codebooks.split(",") if n.strip()]
    except ValueError as error:
        raise WavelexError(f"--codebooks {codebooks!r}: give numbers with commas, such as 1,2,4,8") from error
    if clips_out is not None and not clips_out.parent.is_dir():
        raise WavelexError(f"{clips_out}: its folder does not exist; create {clips_out.parent} first")
    codec = load(model)
    names = [f"{codec.name}@{codec.choose_codebooks(n, None)}" for n in counts] + [p for p in peers.split(",") if p]
    for name in names[len(counts) :]:
        peer(name)
    summaries = []
    lines = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as bar:
        line = bar.add_task("", total=len(names) * len(paths))
        # Of the two kinds of pool, this one notices a worker that dies (the PESQ library can) instead of waiting for ever.
        with ProcessPoolExecutor(jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            for name in names:
                bar.update(line, description=name)
                scores = []
                try:
                    for score in pool.map(partial(_score, model, name), paths):
                        scores.append(score)
                        bar.advance(line)
                except BrokenProcessPool as error:
                    raise WavelexError(
                        f"{paths[len(scores)]}: a metric or a peer crashed on it or a clip beside it; leave it out"
                    ) from error
                summaries.append(summarize(name, scores))
                lines += [json.dumps({"system": name, **vars(score)}) for score in scores]
    if clips_out:
        with replacing(clips_out) as temporary:
            temporary.write_text("\n".join(lines) + "\n")
    if as_json:
        print(json.dumps([s.as_row() for s in summaries]))
    else:
        Console().print(_table(summaries))


_SYSTEMS: dict[tuple[str, str], Transcoder] = {}


def _score(model: str, name: str, path: Path) -> ClipScore:
    # One codec a process, kept between clips.
    if (model, name) not in _SYSTEMS:
        _, at, count = name.partition("@")
        _SYSTEMS[model, name] = transcoder(load(model), int(count)) if at else peer(name)
    try:
        return score_file(path, _SYSTEMS[model, name], align="@" not in name)
    except WavelexError as error:
        return ClipScore(str(path), 0.0, 0.0, 1.0, 0, None, None, str(error))


def _table(summaries: list[Summary]) -> Table:
    table = Table("system", "kbit/s", "PESQ-WB", "STOI", "x real time", "clips scored")
    for s in summaries:
        table.add_row(s.system, f"{s.kbps:.2f}", f"{s.pesq:.3f}", f"{s.stoi:.3f}", f"{s.speed:.0f}", f"{s.scored} of {s.clips}")
    return table
