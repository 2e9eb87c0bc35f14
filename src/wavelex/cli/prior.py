"""`wavelex prior`: fit the token priors that make a codec's files small and conceal its lost frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from wavelex.audio.recordings import list_recordings
from wavelex.codec.checkpoint import load_codec
from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.models import PRIOR_ENDING
from wavelex.search.effort import DEFAULT_EFFORT
from wavelex.tokens.entropy.priors.context import ContextPrior
from wavelex.tokens.entropy.priors.inputs import whole_vectors
from wavelex.tokens.entropy.priors.network import network_of, whole_prior
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.priors.store import load_prior, save_prior
from wavelex.training.codes import bits_a_code, collect_codes
from wavelex.training.data import PackedAudio
from wavelex.training.precision import PRECISIONS
from wavelex.training.prior import PriorSettings, PriorTrainer, classes_of

MOST_HIDDEN, MOST_RATE = 256, 1


def prior(
    weights: Annotated[Path, typer.Argument(help="The codec's checkpoint; the priors are written beside it.")],
    data: Annotated[Path, typer.Option(help="Folder of recordings, or a manifest with a path a line.")],
    cache: Annotated[Path, typer.Option(help="Folder for the decoded recordings.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of the neural prior.")] = PriorSettings().steps,
    hidden: Annotated[int, typer.Option(min=1, help="Width of its hidden layers.")] = PriorSettings().hidden,
    batch: Annotated[int, typer.Option(min=1, help="Stretches of a second that it sees in a step.")] = PriorSettings().batch,
    learning_rate: Annotated[float, typer.Option(help="Its peak learning rate.")] = PriorSettings().learning_rate,
    init: Annotated[Path | None, typer.Option(help="Begin from this neural prior, of the same or of earlier weights.")] = None,
    turns: Annotated[int, typer.Option(min=1, help="How often the recordings are encoded, each time at other gains and offsets.")] = 2,
    effort: Annotated[
        int, typer.Option(min=0, max=3, help="With what effort; 2 and 3 weigh bits by the neural prior that the codec has, if it has one.")
    ] = DEFAULT_EFFORT,
    precision: Annotated[str, typer.Option(help="Of its training: auto, float32 or bfloat16.")] = PriorSettings().precision,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Fit token priors to a codec: context tables by counting, a neural prior by training.

    Both are measured on held-out stretches, and a neural prior that is not the smaller one is not written. Ctrl-C keeps what is learned.
    """
    if precision not in PRECISIONS:
        raise WavelexError(f"--precision {precision}: choose from {', '.join(PRECISIONS)}")
    # Wider layers could have sums that float32 does not hold exactly.
    if hidden > MOST_HIDDEN:
        raise WavelexError(f"--hidden {hidden}: give at most {MOST_HIDDEN}")
    if not 0 <= learning_rate < MOST_RATE:
        raise WavelexError(f"--learning-rate {learning_rate:g}: give a rate from 0 to below {MOST_RATE}")
    console = Console()
    if threads:
        torch.set_num_threads(threads)
    codec = load_codec(weights)
    vectors = _vectors(codec, weights)
    begun = _begun(init, codec, weights, vectors) if init else None
    paths = [recording.path for recording in list_recordings(data)]
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WavelexError(f"{cache}: cannot be made ({error.strerror}); choose another --cache") from error
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        line = bar.add_task("reading recordings", total=len(paths))
        audio = PackedAudio(paths, codec.sample_rate, cache, lambda done: bar.update(line, completed=done))
        line = bar.add_task("encoding", total=None)
        codes = collect_codes(codec, audio, turns, effort, lambda done, total: bar.update(line, completed=done, total=total))
        classes = classes_of(torch.from_numpy(vectors))
        counted = ContextPrior.counted(codes.fitted.transpose(1, 0, 2).astype(np.int64), classes)
        _save(console, weights, codec, counted)
        settings = PriorSettings(steps, batch, hidden, learning_rate, precision=precision)
        trainer = PriorTrainer(codes.fitted, whole_vectors(vectors), settings, network_of(begun) if begun else None)
        _fit(trainer, console, bar)
    try:
        trained = whole_prior(trainer.network, whole_vectors(vectors))
    except ValueError as error:
        raise WavelexError(f"the neural prior cannot be kept ({error}); give a lower --learning-rate or a smaller --hidden") from error
    neural, context = (bits_a_code(each, codes.held_out) for each in (trained, counted))
    measured = f"{neural:.3f} bits a code on held-out stretches, {context:.3f} with the context prior"
    if neural < context:
        console.print(f"neural prior: {measured}", soft_wrap=True)
        _save(console, weights, codec, trained)
    else:
        console.print(f"[yellow]neural prior not written: {measured}; train it with more --steps", soft_wrap=True)


def _fit(trainer: PriorTrainer, console: Console, bar: Progress) -> None:
    """All steps, or those before Ctrl-C."""
    steps = trainer.settings.steps
    console.print(f"training {steps} steps in {'bfloat16' if trainer.bfloat16 else 'float32'}")
    line = bar.add_task("training", total=steps)
    recent: list[float] = []
    try:
        for step in range(steps):
            recent = [*recent[-99:], trainer.step()]
            bar.update(line, completed=step + 1, description=f"{np.mean(recent):.3f} bits a code")
            if (step + 1) % 500 == 0 and not console.is_terminal:
                console.print(f"step {step + 1}: {np.mean(recent):.3f} bits a code")
    except KeyboardInterrupt:
        console.print(f"stopped at step {trainer.step_count}")


def _begun(init: Path, codec: Codec, weights: Path, vectors: np.ndarray) -> NeuralPrior:
    begun = load_prior(init).prior
    if not isinstance(begun, NeuralPrior):
        raise WavelexError(f"{init}: is a {begun.kind} prior; --init takes a neural one")
    if (begun.sizes, begun.dim) != (tuple(codec.codebook_sizes), vectors.shape[2]):
        raise WavelexError(f"{init}: is for {list(begun.sizes)} codes of {begun.dim} numbers, which {weights} has not; leave --init away")
    return begun


def _vectors(codec: Codec, weights: Path) -> np.ndarray:
    sizes = codec.codebook_sizes
    if len(set(sizes)) != 1:
        raise WavelexError(f"{weights}: has codebooks of different sizes, {sizes}; priors are for codebooks of one size")
    found: np.ndarray = torch.stack([codec.model.quantizer.code_vectors(book) for book in range(len(sizes))]).numpy()
    return found


def _save(console: Console, weights: Path, codec: Codec, fitted: ContextPrior | NeuralPrior) -> None:
    path = weights.with_name(f"{weights.stem}.{fitted.kind}{PRIOR_ENDING}")
    name = save_prior(path, fitted, codec.weights_hash)
    console.print(f"{path}: {fitted.kind} prior {name}, {path.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
