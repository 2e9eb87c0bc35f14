"""`wavelex train`: train a design on your own recordings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from wavelex.audio.recordings import list_recordings
from wavelex.codec.checkpoint import load_codec
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.training.data import PackedAudio
from wavelex.training.settings import Settings


def train(
    data: Annotated[Path, typer.Option(help="Folder of recordings, or a manifest with a path a line.")],
    out: Annotated[Path, typer.Option(help="Folder for the run's state, weights, log and TensorBoard events.")],
    design: Annotated[str, typer.Option(help="Which codec to train.")] = "speech_16k",
    arguments: Annotated[str, typer.Option(help="The design's arguments as JSON, e.g. '{\"masked_groups\": 3}'.")] = "{}",
    dev: Annotated[Path | None, typer.Option(help="Held-out recordings to score on; without it nothing is scored.")] = None,
    dev_clips: Annotated[int, typer.Option(help="How many of them.")] = 16,
    init: Annotated[Path | None, typer.Option(help="Begin from the weights of this checkpoint.")] = None,
    init_step: Annotated[int | None, typer.Option(help="Step to count from with --init (default: the first with codes).")] = None,
    resume: Annotated[bool, typer.Option(help="Continue the run in --out exactly where it stopped, with its settings.")] = False,
    autoencoder_steps: Annotated[int | None, typer.Option(help="Steps before codes are put in.")] = None,
    code_steps: Annotated[int | None, typer.Option(help="Steps with codes.")] = None,
    adversarial_steps: Annotated[int | None, typer.Option(help="Steps with codes and discriminators.")] = None,
    batch: Annotated[int | None, typer.Option(help="Clips a step.")] = None,
    segment_seconds: Annotated[float | None, typer.Option(help="Length of a clip.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    settings_json: Annotated[Path | None, typer.Option("--settings", help="JSON file with any of the other settings.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the weights and of the data order.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train a codec. Ctrl-C saves; --resume continues; the best weights are OUT/best.safetensors."""
    # Imported late: TensorBoard, pesq and pystoi are in the train extra.
    from wavelex.training.evaluate import held_out_clips
    from wavelex.training.run import STATE, Run
    from wavelex.training.state import continue_from_weights, load_state, stored_settings
    from wavelex.training.trainer import Trainer

    console = Console()
    if threads:
        torch.set_num_threads(threads)
    given: dict[str, Any] = {
        "autoencoder_steps": autoencoder_steps,
        "code_steps": code_steps,
        "adversarial_steps": adversarial_steps,
        "batch": batch,
        "segment_seconds": segment_seconds,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    if resume and not (out / STATE).exists():
        raise WavelexError(f"{out}: holds no run to resume; leave --resume away to begin one")
    settings = stored_settings(out / STATE) if resume else Settings()
    if settings_json:
        settings = settings.changed(_read(settings_json))
    settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
    started = load_codec(init) if init else None
    torch.manual_seed(settings.seed)
    codec = build(started.model.design, started.model.arguments) if started else build(design, _arguments(arguments))
    paths = [recording.path for recording in list_recordings(data)]
    try:
        (out / "cache").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WavelexError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    with Progress(console=console, transient=True) as bar:
        line = bar.add_task("reading recordings", total=len(paths))
        audio = PackedAudio(paths, codec.sample_rate, out / "cache", lambda done: bar.update(line, completed=done))
    for message in audio.skipped:
        console.print(f"[yellow]left out: {message}")
    held_out = [recording.path for recording in list_recordings(dev)] if dev else []
    clips = held_out_clips(held_out, codec.sample_rate, dev_clips)
    try:
        trainer = Trainer(codec, settings, audio, torch.device(device))
    except (RuntimeError, AssertionError) as error:
        raise WavelexError(f"--device {device}: cannot be used here ({str(error).splitlines()[0]})") from error
    if resume:
        load_state(out / STATE, trainer)
    elif (out / STATE).exists():
        raise WavelexError(f"{out}: holds a run already; continue it with --resume or choose another --out")
    elif started:
        continue_from_weights(started.model, trainer, settings.autoencoder_steps if init_step is None else init_step)
    parameters = sum(p.numel() for p in codec.parameters())
    console.print(f"{design}: {parameters / 1e6:.2f} M parameters, {audio.hours:.2f} h of recordings, {settings.steps} steps")
    if not Run(trainer, clips, out, console).train():
        raise typer.Exit(130)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise WavelexError(f"{path}: cannot be read as settings; give a JSON file") from error


def _arguments(text: str) -> dict[str, object]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise WavelexError(f"--arguments {text!r}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise WavelexError(f"--arguments {text!r}: give a JSON object")
    return values
