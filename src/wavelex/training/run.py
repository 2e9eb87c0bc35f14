"""A training run from start to finish: the loop, its log, its evaluations, its files."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from wavelex.codec.checkpoint import save_codec
from wavelex.training.evaluate import CODEBOOK_COUNTS, Score, evaluate
from wavelex.training.state import save_state
from wavelex.training.trainer import Trainer

STATE, BEST, LATEST, LOG = "state.safetensors", "best.safetensors", "latest.safetensors", "evaluations.jsonl"
COLLAPSED = 0.3


class StopRequests:
    """Notes Ctrl-C and SIGTERM, to be acted on between steps: a step cut in half could not be resumed exactly.

    A second Ctrl-C interrupts at once. Outside the main thread, where signals cannot be caught, nothing is noted.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> StopRequests:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class Run:
    """Trains until the settings' last step or Ctrl-C; either way the state is on disk when it returns.

    Leaves in `out`: the state to resume from, the latest and the best weights (by mean PESQ over the codebook counts),
    one JSON line an evaluation, and TensorBoard events.
    """

    def __init__(self, trainer: Trainer, clips: list[np.ndarray], out: Path, console: Console) -> None:
        self.trainer, self.clips, self.out, self.console = trainer, clips, out, console
        out.mkdir(parents=True, exist_ok=True)

    def train(self) -> bool:
        """Whether the last step was reached; False when the run was stopped."""
        trainer, settings = self.trainer, self.trainer.settings
        board = SummaryWriter(str(self.out / "tensorboard"))  # type: ignore[no-untyped-call]
        columns = (
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        begun_at = trainer.progress.step
        try:
            with StopRequests() as stop, Progress(*columns, console=self.console) as bar:
                line = bar.add_task("", total=settings.steps, completed=trainer.progress.step)
                since, started = trainer.progress.samples_seen, time.perf_counter()
                while trainer.progress.step < settings.steps and not stop.asked:
                    begun = time.perf_counter()
                    losses = trainer.step()
                    trainer.progress.seconds += time.perf_counter() - begun
                    step = trainer.progress.step
                    if not losses:
                        self.console.print(f"[yellow]step {step}: not finite, skipped ({trainer.progress.skipped} in all)")
                    elif step % settings.log_every == 0:
                        speed = (trainer.progress.samples_seen - since) / trainer.codec.sample_rate / (time.perf_counter() - started)
                        seen = f"{self.hours:.2f} h seen, {speed:.0f}x real time"
                        bar.update(line, completed=step, description=f"loss {losses['total']:.3f}, {seen}")
                        self._log(board, losses, seen)
                    if self.clips and (step % settings.evaluate_every == 0 or step == settings.steps):
                        self._evaluate(board)
                    if step % settings.save_every == 0:
                        save_state(self.out / STATE, trainer)
        finally:
            # A run that failed before its first step leaves nothing that a corrected one would have to step over.
            if trainer.progress.step > begun_at:
                save_state(self.out / STATE, trainer)
                self._export(LATEST)
            board.close()  # type: ignore[no-untyped-call]
        finished = trainer.progress.step >= settings.steps
        if not finished:
            self.console.print(f"stopped at step {trainer.progress.step}; continue with --resume")
        return finished

    def _log(self, board: SummaryWriter, losses: dict[str, float], seen: str) -> None:
        step = self.trainer.progress.step
        if not self.console.is_terminal:
            self.console.print(f"step {step}: {', '.join(f'{name} {value:.3f}' for name, value in losses.items())}; {seen}", soft_wrap=True)
        for name, value in losses.items():
            board.add_scalar(f"loss/{name}", value, step)  # type: ignore[no-untyped-call]

    @property
    def hours(self) -> float:
        return self.trainer.progress.samples_seen / self.trainer.codec.sample_rate / 3600

    def _evaluate(self, board: SummaryWriter) -> None:
        trainer = self.trainer
        quantizes = trainer.settings.quantizes(trainer.progress.step - 1)
        with trainer.averaged() as codec:
            scores = evaluate(codec, self.clips, (0, *CODEBOOK_COUNTS) if quantizes else (0,))
        if quantizes:
            self._report_codebooks(board)
        row = {
            "step": trainer.progress.step,
            "hours": self.hours,
            "minutes": trainer.progress.seconds / 60,
            "pesq": {k: s.pesq for k, s in scores.items()},
            "stoi": {k: s.stoi for k, s in scores.items()},
            "clips": min(s.clips for s in scores.values()),
        }
        with (self.out / LOG).open("a") as log:
            log.write(json.dumps(row) + "\n")
        shown = "  ".join(f"{k or 'latent'}: {s.pesq:.3f}/{s.stoi:.3f}" for k, s in scores.items())
        self.console.print(f"step {trainer.progress.step}, {self.hours:.2f} h: PESQ/STOI by codebooks  {shown}", soft_wrap=True)
        for count, score in scores.items():
            board.add_scalar(f"pesq/{count}", score.pesq, trainer.progress.step)  # type: ignore[no-untyped-call]
            board.add_scalar(f"stoi/{count}", score.stoi, trainer.progress.step)  # type: ignore[no-untyped-call]
        if quantizes and (quality := _mean_pesq(scores)) > trainer.progress.best:
            trainer.progress.best = quality
            self._export(BEST)

    def _report_codebooks(self, board: SummaryWriter) -> None:
        health = self.trainer.codebook_health()
        self.console.print("codebooks in use / perplexity  " + "  ".join(f"{use:.0%}/{perplexity:.0f}" for use, perplexity in health))
        for index, (use, perplexity) in enumerate(health):
            board.add_scalar(f"codebook {index}/in use", use, self.trainer.progress.step)  # type: ignore[no-untyped-call]
            board.add_scalar(f"codebook {index}/perplexity", perplexity, self.trainer.progress.step)  # type: ignore[no-untyped-call]
            if use < COLLAPSED:
                self.console.print(f"[yellow]codebook {index} is collapsing: {use:.0%} of its codes are in use")

    def _export(self, name: str) -> None:
        trainer = self.trainer
        notes: Mapping[str, object] = {"step": trainer.progress.step, "hours": round(self.hours, 3)}
        with trainer.averaged() as codec:
            save_codec(self.out / name, codec, codec.design.replace("_", "-"), notes)


def _mean_pesq(scores: dict[int, Score]) -> float:
    values = [score.pesq for count, score in scores.items() if count]
    return float(np.mean(values)) if values and not math.isnan(sum(values)) else float("-inf")
