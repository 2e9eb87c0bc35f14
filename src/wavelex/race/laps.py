"""Training in laps: whoever has heard least goes next, and any lap may be the last for today."""

from __future__ import annotations

import fcntl
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar

from wavelex.errors import WavelexError
from wavelex.race.entrants import Entrant
from wavelex.race.rules import SAMPLE_RATE, hours_heard
from wavelex.training.data import PackedAudio
from wavelex.training.plan import PLAN, Plan
from wavelex.training.run import STATE, Run
from wavelex.training.settings import Settings
from wavelex.training.state import load_progress, load_state
from wavelex.training.trainer import Progress, Trainer


@dataclass(frozen=True)
class Standing:
    """How far an entrant has come."""

    entrant: Entrant
    progress: Progress
    settings: Settings
    failure: str = ""
    """Why it cannot go on, on one line."""

    @property
    def hours(self) -> float:
        """Of audio heard."""
        return hours_heard(self.settings, self.progress.step)

    @property
    def finished(self) -> bool:
        return self.progress.step >= self.settings.steps

    @property
    def has_codes(self) -> bool:
        """Whether its codebooks have learned anything."""
        return self.progress.step > self.settings.first_with_codes


class Race:
    """Trains entrants on the recordings of a folder or manifest, each in a folder of its own in `out` that `wavelex train` would leave."""

    def __init__(
        self, out: Path, train: Path, paths: Sequence[Path], entrants: Sequence[Entrant], settings: Settings, console: Console
    ) -> None:
        """Raises WavelexError where `out` holds a race of other settings or with other entrants of these names."""
        self.out, self.train, self.paths, self.settings, self.console = out, train, list(paths), settings, console
        self.standings = {entrant.name: self._standing(entrant) for entrant in entrants}

    def next(self) -> Entrant | None:
        """Who goes next: the entrant that has heard least, of those that can go on; None when all are done."""
        left = [standing for standing in self.standings.values() if not standing.finished and not standing.failure]
        return min(left, key=lambda standing: standing.hours).entrant if left else None

    def run(self, lap_seconds: float, laps: float = math.inf) -> bool:
        """Train in laps of so many seconds of this process's CPU time until all have heard all or `laps` are over; whether it was stopped.

        An entrant that fails is told, and the others go on; a full disk ends the race. Raises WavelexError where another process trains
        in the folder.
        """
        if not laps:
            return False
        with _alone(self.out):
            return self._laps(lap_seconds, laps)

    def _laps(self, lap_seconds: float, laps: float) -> bool:
        lap, hours = 0, hours_heard(self.settings, self.settings.steps)
        while lap < laps and (entrant := self.next()):
            lap += 1
            before = self.standings[entrant.name]
            self._say(f"lap {lap}: {entrant.name}, {before.hours:.3f} of {hours:.3f} h heard")
            stopped, failure = False, ""
            try:
                stopped = self.lap(entrant, lap_seconds)
            except OSError:
                raise
            except Exception as error:
                failure = " ".join(f"{error}".split()) or type(error).__name__
                self._say(f"{entrant.name} failed and is left out: {failure}", "red")
            self.standings[entrant.name] = self._standing(entrant, failure)
            if stopped:
                return True
        return False

    def lap(self, entrant: Entrant, cpu_seconds: float) -> bool:
        """Train one entrant further; whether it was asked to stop."""
        torch.manual_seed(self.settings.seed)
        model, folder = entrant.build(), self.out / entrant.name
        trainer = Trainer(model, self.settings, self._audio(model.sample_rate), torch.device("cpu"))
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE).exists():
            load_state(folder / STATE, trainer)
        else:
            self._plan(entrant).save(folder)
        run = Run(trainer, [], folder, self.console, entrant.name)
        run.train(cpu_seconds)
        return run.stopped

    @property
    def recordings_hours(self) -> float:
        """How much there is to hear, before it is heard again."""
        return self._audio(SAMPLE_RATE).hours

    def _audio(self, sample_rate: int) -> PackedAudio:
        """All recordings, read once for each rate."""
        with Bar(console=self.console, transient=True) as bar:
            line = bar.add_task("reading recordings", total=len(self.paths))
            return PackedAudio(self.paths, sample_rate, self.out / "cache", lambda done: bar.update(line, completed=done))

    def _plan(self, entrant: Entrant) -> Plan:
        return Plan(entrant.name, entrant.design, str(self.train.absolute()), self.settings, entrant.all_arguments)

    def _standing(self, entrant: Entrant, failure: str = "") -> Standing:
        folder = self.out / entrant.name
        if not (folder / STATE).exists():
            return Standing(entrant, Progress(), self.settings, failure)
        ours, theirs = self._plan(entrant), Plan.load(folder)
        if (theirs.design, _plain(theirs.arguments)) != (ours.design, _plain(ours.arguments)):
            raise WavelexError(f"{folder / PLAN}: trained with other arguments than {entrant.name} now has; choose another --out")
        if theirs.settings != ours.settings:
            heard = hours_heard(theirs.settings, theirs.settings.steps)
            raise WavelexError(
                f"{self.out}: holds a race with other settings, over {heard:g} h; go on with its --hours or choose another --out"
            )
        return Standing(entrant, load_progress(folder / STATE), self.settings, failure)

    def _say(self, line: str, style: str = "") -> None:
        self.console.print(escape(line), style=style or None, highlight=False, soft_wrap=True)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """As the only process that trains in a folder; whatever ends it also ends its claim."""
    (out / "cache").mkdir(parents=True, exist_ok=True)
    with (out / "cache" / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WavelexError(f"{out}: another process trains there; end it first, or only measure with --laps 0") from error
        yield


def _plain(arguments: object) -> str:
    """As a file has them, in which there are no tuples."""
    return json.dumps(arguments, sort_keys=True)
