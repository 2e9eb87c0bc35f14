"""Runs targets on inputs under limits of CPU time and memory, in a child that may die of an input without ending the run."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from targets import TARGETS

from wavelex.errors import WavelexError

CPU_SECONDS = 2.0
MEMORY = 500 << 20
LONGEST_WAIT = 60
"""Seconds that pass on a clock, however busy the machine."""
LONGEST_LINE = 600
"""Characters of an error that is still one clear line."""


@dataclass(frozen=True)
class Case:
    """One input for one target."""

    target: str
    name: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """What came of a case; `finding` is empty where all is well."""

    case: Case
    refused: bool
    seconds: float
    memory: int
    finding: str


def run_all(cases: Iterable[Case]) -> Iterator[Outcome]:
    """The outcome of each case, in order."""
    child: _Child | None = None
    for case in cases:
        child = child or _Child()
        outcome = child.run(case)
        yield outcome
        if outcome.finding:
            child.end()
            child = None
    if child:
        child.end()


class _Child:
    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def run(self, case: Case) -> Outcome:
        try:
            self._pipe.send(case)
            if not self._pipe.poll(LONGEST_WAIT):
                return Outcome(case, False, 0.0, 0, f"no answer after {LONGEST_WAIT} s")
            outcome: Outcome = self._pipe.recv()
            return outcome
        except (EOFError, ConnectionError):
            self._process.join()
            return Outcome(case, False, CPU_SECONDS, 0, f"the process ended with {self._process.exitcode} (-24: over its CPU time)")

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection) -> None:
    base = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (base + 4 * MEMORY, base + 4 * MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        pipe.send(_measured(case))


def _measured(case: Case) -> Outcome:
    # Whole seconds are all that the limit knows; what is over the time but under it is told by the clock.
    limit = int(time.process_time() + CPU_SECONDS + 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    Path("/proc/self/clear_refs").write_text("5")
    before, begun = _status("VmRSS"), time.process_time()
    refused, finding = False, ""
    try:
        TARGETS[case.target](case.data)
    except WavelexError as error:
        refused = True
        if "\n" in str(error) or len(str(error)) > LONGEST_LINE:
            finding = f"no clear line: {str(error)[:200]!r} of {len(str(error))} characters"
    except BaseException:
        finding = traceback.format_exc(limit=-4)
    seconds, memory = time.process_time() - begun, _status("VmHWM") - before
    if not finding and seconds > CPU_SECONDS:
        finding = f"{seconds:.1f} CPU seconds"
    if not finding and memory > MEMORY:
        finding = f"{memory >> 20} MB"
    return Outcome(case, refused, seconds, memory, finding)


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")


def prepare(valid: bytes) -> None:
    """Load what all targets share, by decoding a valid token file, before the first child is made."""
    TARGETS["decode"](valid)
