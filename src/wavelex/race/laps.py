"""Training in laps: whoever has heard least goes next, and any lap may be the last for today."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar

from wavelex.errors import WavelexError
from wavelex.race.entrants import Entrant
from wavelex.training.data import PackedAudio
from wavelex.training.plan import PLAN, Plan
from wavelex.training.recipe import Stage
from wavelex.training.run import STATE, Run
from wavelex.training.settings import Settings
from wavelex.training.state import load_progress, load_state
from wavelex.training.trainer import Progress, Trainer

SAMPLE_RATE = 16_000
"""Of every design's small preset."""
BATCH, SEGMENT_SECONDS = 8, 1.0
WITHOUT_CODES = 0.15
"""Share of the steps before codes are used, which are cheaper."""
DISTANCES = {"mel": 1.0, "complex": 8.0, "loudness": 1.5, "level": 0.5}
SECONDS_A_STEP = BATCH * SEGMENT_SECONDS


def common_settings(hours: float, **values: Any) -> Settings:
    """What every entrant is trained with, whatever its own recipe says, so that it hears `hours` of audio; `values` for others.

    Raises WavelexError for a time that cannot be.
    """
    steps = round(hours * 3600 / SECONDS_A_STEP) if math.isfinite(hours) else 0
    if steps < 2:
        raise WavelexError(
            f"--hours {hours:g}: is no training; a step hears {SECONDS_A_STEP:g} s, so give {2 * SECONDS_A_STEP / 3600:.4f} or more"
        )
    first = max(1, round(WITHOUT_CODES * steps))
    stages = (
        Stage("autoencoder", first, DISTANCES, quantize="no"),
        Stage("codes", steps - first, {**DISTANCES, "commitment": 1.0}, start="kmeans"),
    )
    numbers: dict[str, Any] = {
        "batch": BATCH,
        "segment_seconds": SEGMENT_SECONDS,
        "learning_rate": 5e-4,
        "schedule": "constant",
        "decay_share": 0.2,
        "warmup": max(1, steps // 20),
        "precision": "float32",
        "save_every": 100,
    }
    return Settings(stages, **{**numbers, **values})


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
        return self.progress.step * self.settings.batch * self.settings.segment_seconds / 3600

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

        An entrant that fails is told, and the others go on; a full disk ends the race.
        """
        lap = 0
        while lap < laps and (entrant := self.next()):
            lap += 1
            before = self.standings[entrant.name]
            self._say(f"lap {lap}: {entrant.name}, {before.hours:.3f} of {self._hours:.3f} h heard")
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

    @property
    def _hours(self) -> float:
        return self.settings.steps * self.settings.batch * self.settings.segment_seconds / 3600

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
            heard = theirs.settings.steps * theirs.settings.batch * theirs.settings.segment_seconds / 3600
            raise WavelexError(
                f"{self.out}: holds a race with other settings, over {heard:g} h; go on with its --hours or choose another --out"
            )
        return Standing(entrant, load_progress(folder / STATE), self.settings, failure)

    def _say(self, line: str, style: str = "") -> None:
        self.console.print(escape(line), style=style or None, highlight=False, soft_wrap=True)


def _plain(arguments: object) -> str:
    """As a file has them, in which there are no tuples."""
    return json.dumps(arguments, sort_keys=True)
