"""What the commands share: choosing inputs and outputs, rates, and how failures over many files are told."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import soundfile
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wavelex.audio.files import find_audio
from wavelex.errors import WavelexError
from wavelex.search.effort import LEVELS
from wavelex.search.target import Quality, Target

STANDARD_STREAM = "-"
console = Console(stderr=True)

Model = Annotated[str, typer.Option("--model", "-m", help="Shipped model, checkpoint or folder of a training run.")]
Codebooks = Annotated[int | None, typer.Option("--codebooks", "-n", help="How many codebooks to use.")]
BitrateText = Annotated[
    str | None, typer.Option("--bitrate", "-b", help="Instead of codebooks: bits a second a stream, e.g. 1500 or 1.5k.")
]
TargetText = Annotated[
    str | None,
    typer.Option("--target", "-t", help="What varying frames aim at: an average of bits a second a stream (1.2k), or a quality (q4)."),
]
Effort = Annotated[
    int, typer.Option("--effort", "-e", min=0, max=len(LEVELS) - 1, help="How long to look for good codes: 0 fastest, 9 best.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a file, for machines.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Output file (one input) or folder (several); - for standard output.")]


def parse_bitrate(text: str | None, option: str = "--bitrate", otherwise: str = "") -> float | None:
    """Bits a second from 1500, 1.5k or 1.5kbps. Raises WavelexError for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(k?)(?:bps|bit/s)?\s*", text.lower())
    if not match:
        raise WavelexError(f"{option} {text!r}: give bits a second, such as 1500 or 1.5k{otherwise}")
    return float(match[1]) * (1000 if match[2] else 1)


def parse_target(text: str | None) -> Target | None:
    """An average rate from 1.2k, or a quality from q4. Raises WavelexError for anything else."""
    if text and re.fullmatch(r"\s*q[0-9]*\.?[0-9]+\s*", text.lower()):
        return Quality(float(text.strip()[1:]))
    return parse_bitrate(text, "--target", ", or a quality such as q4")


@dataclass(frozen=True)
class Job:
    """One input file and where its result goes."""

    source: Path
    target: Path


def plan(inputs: Sequence[Path], out: Path | None, ending: str, find: Callable[[Path], list[Path]] = find_audio) -> list[Job]:
    """Inputs (files, folders, or - for a standard stream) with their outputs.

    Without `out`, a result lies beside its input; folders are searched and their structure kept. Raises WavelexError when
    there is nothing to do or two inputs would write one file.
    """
    jobs: list[Job] = []
    for path in inputs:
        if len(path.name) > 255:
            raise WavelexError(f"{path.name[:40]}...: no file can have so long a name; check the quoting")
    several = len(inputs) > 1 or any(path.is_dir() for path in inputs)
    if several and out is not None and str(out) == STANDARD_STREAM:
        raise WavelexError("several inputs cannot go to standard output; give a folder with --out")
    if several and out is not None and out.is_file():
        raise WavelexError(f"{out}: is a file; several inputs need a folder")
    for path in inputs:
        if str(path) == STANDARD_STREAM:
            jobs.append(Job(path, out or Path(STANDARD_STREAM)))
        elif path.is_dir():
            found = find(path)
            if not found:
                raise WavelexError(f"{path}: holds no files to work on")
            jobs += [Job(f, ((out or path) / f.relative_to(path)).with_suffix(ending)) for f in found]
        elif out is None:
            jobs.append(Job(path, path.with_suffix(ending)))
        elif several or out.is_dir():
            jobs.append(Job(path, out / path.with_suffix(ending).name))
        else:
            jobs.append(Job(path, out))
    targets = Counter(job.target.resolve() for job in jobs if str(job.target) != STANDARD_STREAM)
    sources = {job.source.resolve() for job in jobs if str(job.source) != STANDARD_STREAM}
    for target, times in targets.items():
        if times > 1:
            raise WavelexError(f"{target}: two inputs would be written to it; give them different names")
        if target in sources:
            raise WavelexError(f"{target}: the output would overwrite it; choose another place with --out")
    if several:
        for target in targets:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WavelexError(f"{target.parent}: cannot be made ({error.strerror}); choose another --out") from error
    return jobs


def need_samples(name: str, count: int) -> None:
    """Raises WavelexError for what a broken recorder leaves. The library codes such signals; as a file they are a mistake."""
    if count < 2:
        raise WavelexError(f"{name}: holds {count or 'no'} sample{'' if count else 's'}, which is no recording; record it again")


def is_file(path: Path) -> bool:
    """Whether it is there and a file; a name that no file can have is not."""
    try:
        return path.is_file()
    except OSError:
        return False


def run_jobs(jobs: Sequence[Job], work: Callable[[Job], dict[str, Any]], tell: Callable[[dict[str, Any]], str], as_json: bool) -> None:
    """Do each job, print what it gives, and end with exit code 2 if any failed.

    A failing file is one line and does not stop the others. After Ctrl-C what is done stays done.
    """
    failed = done = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Results go to standard error when a job's output itself is on standard output.
    stream = sys.stderr if any(str(job.target) == STANDARD_STREAM for job in jobs) else sys.stdout
    with Progress(*columns, console=console, transient=True, disable=len(jobs) < 2 or not console.is_terminal) as bar:
        line = bar.add_task("", total=len(jobs))
        for job in jobs:
            bar.update(line, description=job.source.name)
            try:
                result = work(job)
            except WavelexError as error:
                failed += 1
                print(f"wavelex: {error}", file=sys.stderr)
            except BrokenPipeError:
                raise
            except (OSError, soundfile.LibsndfileError, MemoryError) as error:
                failed += 1
                reason = getattr(error, "strerror", None) or str(error) or "out of memory"
                print(f"wavelex: {job.source} -> {job.target}: {reason}; make room or choose another place", file=sys.stderr)
            except KeyboardInterrupt:
                print(f"wavelex: stopped; {done} of {len(jobs)} files are done", file=sys.stderr)
                raise typer.Exit(130) from None
            else:
                done += 1
                print(json.dumps(result) if as_json else tell(result), file=stream, flush=True)
            bar.advance(line)
    if failed:
        raise typer.Exit(2)
