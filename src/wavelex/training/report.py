"""What a run says while it trains: a line that moves with every step, lines in a log, and TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from wavelex.training.evaluate import Score
from wavelex.training.trainer import Trainer

COLLAPSED = 0.3
FIRST_LINES = (1, 10)
"""Steps after the beginning that are told in a log besides every so many, so that it shows at once what to expect."""
CLIPS_HEARD = 4
"""Held-out clips whose sound and spectrogram go to TensorBoard."""


class Report:
    """Context manager; lines go to a console, everything else to TensorBoard events in `folder`."""

    def __init__(self, trainer: Trainer, console: Console, folder: Path) -> None:
        self.trainer, self.console = trainer, console
        self._board = SummaryWriter(str(folder))  # type: ignore[no-untyped-call]
        columns = (TextColumn("step {task.completed:.0f}/{task.total:.0f}"), BarColumn(20), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console)
        self._line = self._bar.add_task("beginning", total=trainer.settings.steps, completed=trainer.progress.step)
        self._begun, self._busy = trainer.progress.step, 0.0
        self._seen = trainer.progress.samples_seen

    def __enter__(self) -> Report:
        self._bar.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.stop()
        self._board.close()  # type: ignore[no-untyped-call]

    def say(self, line: str) -> None:
        """A line on the console."""
        self.console.print(line, soft_wrap=True)

    def step(self, losses: Mapping[str, float], seconds: float) -> None:
        """One step is done and took so long; no losses mean that it was skipped."""
        progress, settings = self.trainer.progress, self.trainer.settings
        self._busy += seconds
        done = progress.step - self._begun
        if not losses:
            self.say(f"[yellow]step {progress.step}: not finite, skipped ({progress.skipped} in all)")
            return
        speed = (progress.samples_seen - self._seen) / self.trainer.codec.sample_rate / self._busy
        left = _duration((settings.steps - progress.step) * self._busy / done)
        pace = f"rate {self.trainer.rate:.2g}, {speed:.1f}x real time, {self.trainer.hours:.2f} h seen, {left} left"
        self._bar.update(self._line, completed=progress.step, description=f"loss {losses['total']:.3f}, {pace}")
        if progress.step % settings.log_every and done not in FIRST_LINES:
            return
        if not self.console.is_terminal:
            self.say(f"step {progress.step}: {', '.join(f'{name} {value:.3f}' for name, value in losses.items())}; {pace}")
        for name, value in losses.items():
            self._scalar(f"loss/{name}", value)
        self._scalar("learning rate", self.trainer.rate)
        self._scalar("real-time factor", speed)

    def scores(self, scores: Mapping[int, Score]) -> None:
        """What an evaluation gave."""
        shown = "  ".join(f"{k or 'latent'}: {s.pesq:.3f}/{s.stoi:.3f}" for k, s in scores.items())
        self.say(f"step {self.trainer.progress.step}, {self.trainer.hours:.2f} h: PESQ/STOI by codebooks  {shown}")
        for count, score in scores.items():
            self._scalar(f"pesq/{count}", score.pesq)
            self._scalar(f"stoi/{count}", score.stoi)

    def original(self, index: int, samples: np.ndarray) -> None:
        """A held-out clip (T,)."""
        self._sound(f"clip {index}/original", index, samples)

    def decoded(self, count: int, index: int, samples: np.ndarray) -> None:
        """What `count` codebooks made of it; 0 are the latents without codes."""
        self._sound(f"clip {index}/{count or 'no'} codebooks", index, samples)

    def codebooks(self) -> None:
        """How much of each codebook is in use, with a warning where that is little."""
        health = self.trainer.codebook_health()
        self.say("codebooks in use / perplexity  " + "  ".join(f"{use:.0%}/{perplexity:.0f}" for use, perplexity in health))
        for index, (use, perplexity) in enumerate(health):
            self._scalar(f"codebook {index}/in use", use)
            self._scalar(f"codebook {index}/perplexity", perplexity)
            if use < COLLAPSED:
                self.say(f"[yellow]codebook {index} is collapsing: {use:.0%} of its codes are in use")

    def _scalar(self, name: str, value: float) -> None:
        self._board.add_scalar(name, value, self.trainer.progress.step)  # type: ignore[no-untyped-call]

    def _sound(self, name: str, index: int, samples: np.ndarray) -> None:
        if index < CLIPS_HEARD:
            heard = torch.from_numpy(np.clip(samples, -1, 1))[None]
            step, rate = self.trainer.progress.step, self.trainer.codec.sample_rate
            self._board.add_audio(name, heard, step, sample_rate=rate)  # type: ignore[no-untyped-call]
            self._board.add_image(name, picture(heard[0]), step)  # type: ignore[no-untyped-call]


def picture(samples: Tensor) -> Tensor:
    """The spectrogram of samples (T,) as an image (1, bins, frames), low frequencies at the bottom: 80 dB from black to white."""
    spectrum = torch.stft(samples, 512, 128, window=torch.hann_window(512), pad_mode="constant", return_complex=True)
    decibels = 20 * (spectrum.abs() / 128 + 1e-8).log10()
    return (1 + decibels / 80).clamp(0, 1).flip(0)[None]


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
