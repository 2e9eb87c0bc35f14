"""`wavelex train`: train a design on your own recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import Progress

from wavelex.audio.recordings import list_recordings
from wavelex.cli.common import json_object
from wavelex.codec.checkpoint import load_codec
from wavelex.codec.codec import Codec
from wavelex.codec.model import CodecModel
from wavelex.designs import build, recipe
from wavelex.errors import WavelexError
from wavelex.objectives import make_objectives
from wavelex.training.data import PackedAudio
from wavelex.training.distributed import Ranks, launched
from wavelex.training.plan import Plan
from wavelex.training.recipe import with_steps
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer, segment_length

DESIGN = "speech_16k"


def train(
    out: Annotated[Path, typer.Option(help="Folder for the run's state, weights, log and TensorBoard events.")],
    data: Annotated[Path | None, typer.Option(help="Folder of recordings, or a manifest with a path a line.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name (default: that of the folder --out).")] = None,
    design: Annotated[str | None, typer.Option(help=f"Which codec to train (default: {DESIGN}).")] = None,
    arguments: Annotated[str | None, typer.Option(help="The design's arguments as JSON, e.g. '{\"masked_groups\": 3}'.")] = None,
    dev: Annotated[Path | None, typer.Option(help="Held-out recordings to score on; without it nothing is scored.")] = None,
    dev_clips: Annotated[int | None, typer.Option(help="How many of them (default: 16).")] = None,
    init: Annotated[Path | None, typer.Option(help="Begin from the weights of this checkpoint, with its design.")] = None,
    init_step: Annotated[int | None, typer.Option(min=0, help="Step to count from with --init (default: the first with codes).")] = None,
    resume: Annotated[bool, typer.Option(help="Continue the run in --out exactly where it stopped, as it was told then.")] = False,
    steps: Annotated[list[str] | None, typer.Option(help="Steps of a stage, e.g. codes=18000; repeatable.")] = None,
    batch: Annotated[int | None, typer.Option(help="Clips a step.")] = None,
    segment_seconds: Annotated[float | None, typer.Option(help="Length of a clip.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16 (default: auto).")] = None,
    settings_json: Annotated[Path | None, typer.Option("--settings", help="JSON file with any of the other settings.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the weights and of the data order.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps (default: cpu).")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train a codec. Ctrl-C saves; --resume continues; the best weights are OUT/best.safetensors."""
    given = {
        "name": name,
        "design": design,
        "arguments": None if arguments is None else json_object("--arguments", arguments),
        "data": _absolute(data),
        "dev": _absolute(dev),
        "dev_clips": dev_clips,
        "device": device,
        "threads": threads,
    }
    _check_folder(out, resume, init)
    started = load_codec(init) if init else None
    earlier = Plan.load(out) if resume else None
    plan = earlier.changed(**given) if earlier else _begun(out, given, started)
    numbers = {
        "batch": batch,
        "segment_seconds": segment_seconds,
        "learning_rate": learning_rate,
        "precision": precision,
        "seed": seed,
    }
    plan = replace(plan, settings=_settings(plan.settings, settings_json, steps or [], numbers))
    with launched(plan.device) as (ranks, own):
        _train(plan, out, earlier, started.model if started else None, init_step, ranks, own)


def _train(
    plan: Plan, out: Path, earlier: Plan | None, started: CodecModel | None, init_step: int | None, ranks: Ranks, device: torch.device
) -> None:
    """The run itself, with everything checked that can be before recordings are read."""
    codec = _checked(plan)
    paths = [recording.path for recording in list_recordings(Path(plan.data))]
    held_out = [recording.path for recording in list_recordings(Path(plan.dev))] if plan.dev else []
    # Imported late: TensorBoard, pesq and pystoi take long and are in the train extra.
    from wavelex.training.evaluate import held_out_clips
    from wavelex.training.run import STATE, Run
    from wavelex.training.state import continue_from_weights, load_state

    console = Console(quiet=not ranks.first)
    audio = _audio(paths, codec.sample_rate, out, console, ranks)
    clips = held_out_clips(held_out, codec.sample_rate, plan.dev_clips) if ranks.first else []
    trainer = Trainer(codec, plan.settings, audio, device, ranks=ranks)
    if earlier:
        load_state(out / STATE, trainer)
        if (earlier.dev, earlier.dev_clips) != (plan.dev, plan.dev_clips):
            # Scores on other recordings are not comparable, and the best of the old ones could never be beaten.
            trainer.progress.best = float("-inf")
    elif started:
        continue_from_weights(started, trainer, plan.settings.first_with_codes if init_step is None else init_step)
    if ranks.first:
        plan.save(out)
    parameters = sum(p.numel() for p in codec.parameters())
    where = plan.device if ranks.world == 1 else f"{ranks.world} x {plan.device}"
    console.print(
        f"{plan.name} ({plan.design}): {parameters / 1e6:.2f} M parameters, {audio.hours:.2f} h of recordings, "
        f"{plan.settings.steps} steps, in {'bfloat16' if trainer.bfloat16 else 'float32'} on {where}",
        soft_wrap=True,
    )
    if not Run(trainer, clips, out, console, plan.name).train():
        console.print("continue with --resume")
        raise typer.Exit(130)


def _audio(paths: list[Path], sample_rate: int, out: Path, console: Console, ranks: Ranks) -> PackedAudio:
    """The recordings, decoded by the first process and found decoded by the others."""
    try:
        (out / "cache").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WavelexError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    if not ranks.first:
        ranks.wait()
        return PackedAudio(paths, sample_rate, out / "cache", lambda done: None)
    with Progress(console=console, transient=True) as bar:
        line = bar.add_task("reading recordings", total=len(paths))
        audio = PackedAudio(paths, sample_rate, out / "cache", lambda done: bar.update(line, completed=done))
    for message in audio.skipped:
        console.print(f"[yellow]left out: {message}")
    ranks.wait()
    return audio


def _check_folder(out: Path, resume: bool, init: Path | None) -> None:
    there = (out / "state.safetensors").exists()
    if resume and init:
        raise WavelexError("--resume and --init: a run is continued or begun from weights; leave one away")
    if resume and not there:
        raise WavelexError(f"{out}: holds no run to resume; leave --resume away to begin one")
    if there and not resume:
        raise WavelexError(f"{out}: holds a run already; continue it with --resume or choose another --out")


def _begun(out: Path, given: Mapping[str, Any], started: Codec | None) -> Plan:
    """The plan of a new run."""
    if given["data"] is None:
        raise WavelexError("nothing to train on; give a folder of recordings or a manifest with --data")
    if started and (given["design"] or given["arguments"]):
        raise WavelexError("--init brings the design and its arguments; leave --design and --arguments away")
    design = started.model.design if started else given["design"] or DESIGN
    settings = Settings.of(recipe(design))
    begun = Plan(given["name"] or out.resolve().name, design, given["data"], settings, started.model.arguments if started else {})
    return begun.changed(**given)


def _settings(settings: Settings, path: Path | None, steps: Sequence[str], numbers: Mapping[str, Any]) -> Settings:
    """With what was given anew."""
    if path:
        try:
            settings = settings.changed(path.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise WavelexError(f"{path}: cannot be read as settings; give a JSON file") from error
    chosen = {}
    for text in steps:
        stage, _, count = text.partition("=")
        if not count.isdecimal():
            raise WavelexError(f"--steps {text}: give a stage and its steps, e.g. codes=18000")
        chosen[stage] = int(count)
    stages = with_steps(settings.stages, chosen)
    return replace(settings, stages=stages, **{name: value for name, value in numbers.items() if value is not None})


def _checked(plan: Plan) -> CodecModel:
    """The codec with fresh weights, and everything that can be refused before recordings are read, refused."""
    if plan.threads:
        torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.settings.seed)
    codec = build(plan.design, plan.arguments)
    segment_length(plan.settings, codec)
    make_objectives(plan.settings.terms, codec.sample_rate, plan.settings.options)
    return codec


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
