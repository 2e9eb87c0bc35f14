"""A training run from start to finish: the loop, its evaluations, its files."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from rich.console import Console

from wavelex.codec.checkpoint import save_codec
from wavelex.training.evaluate import Score, codebook_counts, evaluate
from wavelex.training.report import Report
from wavelex.training.state import save_state
from wavelex.training.trainer import Trainer

STATE, BEST, LATEST, LOG = "state.safetensors", "best.safetensors", "latest.safetensors", "evaluations.jsonl"

PASSED_ON_WITHIN = 1.0
"""Seconds within which two signals are one: a terminal sends it to all processes, and torchrun to its own once more."""


class StopRequests:
    """Notes Ctrl-C, SIGTERM and a closed terminal, to be acted on between steps: a step cut in half could not be resumed exactly.

    A second Ctrl-C interrupts at once, unless it follows so soon that it is the first one, passed on by a launcher. Outside the main
    thread, where signals cannot be caught, nothing is noted.
    """

    def __init__(self) -> None:
        self.asked = False
        self._asked_at = 0.0

    def __enter__(self) -> StopRequests:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
            # What is ignored, as a closed terminal is under nohup, stays so.
            heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        if self.asked and time.monotonic() - self._asked_at > PASSED_ON_WITHIN:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked, self._asked_at = True, time.monotonic()


class Run:
    """Trains until the settings' last step or Ctrl-C; either way the state is on disk when it returns.

    Of several processes the first one evaluates and writes; all end after the same step when one of them is told to stop.

    Leaves in `out`: the state to resume from, the latest and the best weights (by mean PESQ over the codebook counts) under the model's
    `name`, one JSON line an evaluation, and TensorBoard events.
    """

    def __init__(self, trainer: Trainer, clips: list[np.ndarray], out: Path, console: Console, name: str) -> None:
        self.trainer, self.clips, self.out, self.console, self.name = trainer, clips, out, console, name
        self.stopped = False
        """Whether it was asked to end before its last step."""
        out.mkdir(parents=True, exist_ok=True)

    def train(self, cpu_seconds: float = math.inf) -> bool:
        """Whether the last step was reached; False when the run was stopped, or took so many seconds of this process's CPU time."""
        trainer, settings = self.trainer, self.trainer.settings
        begun_at, lap_ends = trainer.progress.step, trainer.progress.cpu_seconds + cpu_seconds
        try:
            with StopRequests() as stop, self._report() as report:
                while trainer.progress.step < settings.steps and not trainer.ranks.any(
                    stop.asked or trainer.progress.cpu_seconds >= lap_ends
                ):
                    begun, cpu_begun = time.perf_counter(), time.process_time()
                    losses = trainer.step()
                    seconds = time.perf_counter() - begun
                    trainer.progress.seconds += seconds
                    trainer.progress.cpu_seconds += time.process_time() - cpu_begun
                    if report:
                        self._told(report, losses, seconds)
        finally:
            # A run that failed before its first step leaves nothing that a corrected one would have to step over.
            if trainer.ranks.first and trainer.progress.step > begun_at:
                save_state(self.out / STATE, trainer)
                self._export(LATEST)
        finished = trainer.progress.step >= settings.steps
        self.stopped = stop.asked and not finished
        if self.stopped and trainer.ranks.first:
            self.console.print(f"stopped at step {trainer.progress.step}; what is done is kept")
        return finished

    def _report(self) -> AbstractContextManager[Report | None]:
        """What tells of the run, in the first process only."""
        return Report(self.trainer, self.console, self.out / "tensorboard") if self.trainer.ranks.first else nullcontext()

    def _told(self, report: Report, losses: dict[str, float], seconds: float) -> None:
        """All that follows a step: its line, and when their time has come, an evaluation and the state."""
        settings, step = self.trainer.settings, self.trainer.progress.step
        report.step(losses, seconds)
        if self.clips and (step % settings.evaluate_every == 0 or step == settings.steps):
            self._evaluate(report)
        if step % settings.save_every == 0:
            save_state(self.out / STATE, self.trainer)

    def _evaluate(self, report: Report) -> None:
        trainer = self.trainer
        quantizes = trainer.settings.stage_at(trainer.progress.step - 1)[0].quantize == "yes"
        for index, clip in enumerate(self.clips):
            report.original(index, clip)
        counts = (0, *codebook_counts(trainer.codec.codebooks)) if quantizes else (0,)
        with trainer.averages.applied() as codec:
            scores = evaluate(codec, self.clips, counts, report.decoded)
        if quantizes:
            report.codebooks()
        row = {
            "step": trainer.progress.step,
            "hours": trainer.hours,
            "minutes": trainer.progress.seconds / 60,
            "pesq": {k: s.pesq for k, s in scores.items()},
            "stoi": {k: s.stoi for k, s in scores.items()},
            "clips": min(s.clips for s in scores.values()),
        }
        with (self.out / LOG).open("a") as log:
            log.write(json.dumps(row) + "\n")
        report.scores(scores)
        if quantizes and (quality := _mean_pesq(scores)) > trainer.progress.best:
            trainer.progress.best = quality
            self._export(BEST)

    def _export(self, name: str) -> None:
        notes = {"step": self.trainer.progress.step, "hours": round(self.trainer.hours, 3)}
        with self.trainer.averages.applied() as codec:
            save_codec(self.out / name, codec, self.name, notes)


def _mean_pesq(scores: dict[int, Score]) -> float:
    values = [score.pesq for count, score in scores.items() if count]
    return float(np.mean(values)) if values and not math.isnan(sum(values)) else float("-inf")
