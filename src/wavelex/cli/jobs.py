"""Work over many files: choosing inputs and outputs, several at a time, progress, and how failures are told."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import soundfile
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wavelex.audio.reading import find_audio
from wavelex.errors import WavelexError
from wavelex.files import shown

STANDARD_STREAM = "-"
console = Console(stderr=True)


@dataclass(frozen=True)
class Job:
    """One input file and where its result goes."""

    source: Path
    target: Path

    @property
    def reads_standard_input(self) -> bool:
        return str(self.source) == STANDARD_STREAM

    @property
    def writes_standard_output(self) -> bool:
        return str(self.target) == STANDARD_STREAM

    @property
    def name(self) -> str:
        """What to call the input in messages."""
        return "standard input" if self.reads_standard_input else shown(self.source)


Advance = Callable[[float], None]
"""Told the share of a file that is done."""


class Work(Protocol):
    """What is done with each file; sent to other processes as it is."""

    def __call__(self, job: Job, advance: Advance) -> dict[str, Any]: ...


def plan(
    inputs: Sequence[Path],
    out: Path | None,
    ending: str,
    find: Callable[[Path], list[Path]] = find_audio,
    overwrite: bool = True,
    skip_existing: bool = False,
) -> list[Job]:
    """Inputs (files, folders, or - for a standard stream) with their outputs.

    Without `out`, a result lies beside its input; folders are searched and their structure kept. An `out` that ends in a slash is a
    folder. Raises WavelexError when there is nothing to do, two inputs would write one file, or an output is there already unless it
    may be overwritten or its input left out.
    """
    for path in inputs:
        if len(path.name.encode(errors="surrogateescape")) > 255:
            raise WavelexError(f"{shown(path.name[:40])}...: no file can have so long a name; check the quoting")
    several = len(inputs) > 1 or any(_is_folder(path) for path in inputs)
    if several and out is not None and str(out) == STANDARD_STREAM:
        raise WavelexError("several inputs cannot go to standard output; give a folder with --out")
    if several and out is not None and out.is_file():
        raise WavelexError(f"{shown(out)}: is a file; several inputs need a folder")
    jobs = [job for path in inputs for job in _jobs_of(path, out, ending, several, find)]
    targets = Counter(job.target.resolve() for job in jobs if not job.writes_standard_output)
    sources = {job.source.resolve() for job in jobs if not job.reads_standard_input}
    for target, times in targets.items():
        if times > 1:
            raise WavelexError(f"{shown(target)}: two inputs would be written to it; give them different names")
        if target in sources:
            raise WavelexError(f"{shown(target)}: the output would overwrite it; choose another place with --out")
    there = {job for job in jobs if not job.writes_standard_output and job.target.is_file()}
    if skip_existing:
        jobs = [job for job in jobs if job not in there]
    elif there and not overwrite:
        first = min(shown(job.target) for job in there)
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise WavelexError(f"{first}: is there already{more}; --force overwrites, --skip-existing leaves it as it is")
    if several:
        for folder in {job.target.parent for job in jobs if not job.writes_standard_output}:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise WavelexError(f"{shown(folder)}: cannot be made ({error.strerror}); choose another --out") from error
    return jobs


def _jobs_of(path: Path, out: Path | None, ending: str, several: bool, find: Callable[[Path], list[Path]]) -> list[Job]:
    if str(path) == STANDARD_STREAM:
        return [Job(path, out or Path(STANDARD_STREAM))]
    if _is_folder(path):
        found = find(path)
        if not found:
            raise WavelexError(f"{shown(path)}: holds no files to work on")
        return [Job(f, ((out or path) / f.relative_to(path)).with_suffix(ending)) for f in found]
    if out is None:
        return [Job(path, path.with_suffix(ending))]
    return [Job(path, out / path.with_suffix(ending).name)] if several or _is_folder(out) else [Job(path, out)]


def as_folder(text: str | None) -> Path | None:
    """The path of an --out; one that ends in a slash is a folder, made if need be."""
    if text is None:
        return None
    path = Path(text)
    if text.endswith("/") and str(path) != STANDARD_STREAM:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WavelexError(f"{shown(path)}: cannot be made ({error.strerror}); choose another --out") from error
    return path


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def run_jobs(jobs: Sequence[Job], work: Work, tell: Callable[[dict[str, Any]], str], as_json: bool, processes: int = 1) -> None:
    """Do each job, print what it gives, and end with exit code 2 if any failed.

    A failing file is one line and does not stop the others. After Ctrl-C what is done stays done.
    """
    failed = done = 0
    # Results go to standard error when a job's output itself is on standard output.
    lines = _Lines(sys.stderr if any(job.writes_standard_output for job in jobs) else sys.stdout)
    words = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        line = bar.add_task("", total=len(jobs))
        try:
            outcomes = _one_by_one(jobs, work, bar, line) if processes == 1 or len(jobs) < 2 else _side_by_side(jobs, work, processes)
            for job, outcome in outcomes:
                if isinstance(outcome, str):
                    failed += 1
                    print(f"wavelex: {outcome}", file=sys.stderr)
                else:
                    done += 1
                    lines.put(json.dumps(outcome) if as_json else shown(tell(outcome)))
                bar.update(line, completed=done + failed, description=job.source.name)
        except KeyboardInterrupt:
            print(f"wavelex: stopped; {done} of {len(jobs)} files are done", file=sys.stderr)
            raise typer.Exit(130) from None
    if failed or lines.broken:
        raise typer.Exit(2)


class _Lines:
    """What is told of each file; when there is no room for it, the files are worked on all the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.broken = stream, False

    def put(self, line: str) -> None:
        try:
            print(line, file=self._stream, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            if not self.broken:
                print(f"wavelex: results cannot be printed ({error.strerror}); the files are worked on all the same", file=sys.stderr)
            self.broken = True


Outcome = dict[str, Any] | str
"""What a job gave, or why it failed."""


def _one_by_one(jobs: Sequence[Job], work: Work, bar: Progress, line: TaskID) -> Iterator[tuple[Job, Outcome]]:
    for number, job in enumerate(jobs):
        bar.update(line, description=shown(job.source.name))

        def advance(share: float, number: int = number) -> None:
            bar.update(line, completed=number + min(share, 1.0))

        yield job, _outcome(work, job, advance)


def _side_by_side(jobs: Sequence[Job], work: Work, processes: int) -> Iterator[tuple[Job, Outcome]]:
    # Spawned: a forked child of a process in which torch has run would wait for threads that are not there.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin_worker) as pool:
        running = {pool.submit(_outcome, work, job, _unseen): job for job in jobs}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    import torch

    torch.set_num_threads(1)


def _unseen(share: float) -> None:
    """Progress within a file is not told from another process."""


def _outcome(work: Work, job: Job, advance: Advance) -> Outcome:
    try:
        return work(job, advance)
    except WavelexError as error:
        return shown(str(error))
    except BrokenPipeError:
        raise
    except (OSError, soundfile.LibsndfileError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "out of memory"
        return f"{job.name} -> {shown(job.target)}: {reason}; make room or choose another place"


def need_samples(name: str, count: int) -> None:
    """Raises WavelexError for what a broken recorder leaves. The library codes such signals; as a file they are a mistake."""
    if count < 2:
        raise WavelexError(f"{name}: holds {count or 'no'} sample{'' if count else 's'}, which is no recording; record it again")


def is_file(path: Path) -> bool:
    """Whether it is there and a file; a name that no file can have is not."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
