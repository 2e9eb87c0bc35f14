"""`wavelex demo`: a recording there and back at several rates, measured, with a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from wavelex.audio.files import read_audio, resample
from wavelex.bench.report.pictures import compare
from wavelex.bench.run.quick import there_and_back
from wavelex.cli.common import Model
from wavelex.cli.jobs import need_samples
from wavelex.codec.hub import load
from wavelex.data import DEMO_NAME, demo_recording
from wavelex.errors import WavelexError
from wavelex.models import DEFAULT_MODEL

COUNTS = (1, 2, 4, 8)
EFFORT = 0
"""The fastest, since a first look is at speed too; the default effort writes smaller files."""


def demo(
    audio: Annotated[Path | None, typer.Argument(help="A recording; one that comes with the package unless given.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the decoded files and the picture.")] = Path("demo-output"),
    model: Model = DEFAULT_MODEL,
) -> None:
    """Encode and decode one recording with 1, 2, 4 and 8 codebooks; print a table, leave the sound and a picture."""
    recording = read_audio(audio) if audio else demo_recording()
    need_samples(str(audio), len(recording))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WavelexError(f"{out}: cannot be made ({error.strerror}); choose another --out") from error
    torch.set_num_threads(1)
    codec = load(model)
    original = out / "original.wav"
    recording.save(original)
    size = original.stat().st_size
    codec.decode(codec.encode(recording, effort=EFFORT))  # so that the first measured row does not pay for starting up
    console = Console()
    table = Table("codebooks", "kbit/s", "tokens/s", "bytes", "of WAV", "times real time", "PESQ-WB (1-4.6)", "STOI (0-1)")
    versions = {}
    for count in [n for n in COUNTS if n <= codec.codebooks]:
        begun = time.perf_counter()
        tokens = codec.encode(recording, codebooks=count, effort=EFFORT)
        decoded = codec.decode(tokens)
        elapsed = time.perf_counter() - begun
        file = out / f"codebooks-{count}.wlx"
        tokens.save(file)
        decoded.save(out / f"codebooks-{count}.wav")
        score = there_and_back(codec, recording, count, EFFORT)
        written = file.stat().st_size
        table.add_row(
            str(count),
            f"{8 * written / recording.seconds / 1000:.2f}",
            f"{tokens.tokens_per_second:.0f}",
            str(written),
            f"1/{size / written:.0f}",
            f"{recording.seconds / elapsed:.0f}",
            "-" if score.pesq is None else f"{score.pesq:.2f}",
            "-" if score.stoi is None else f"{score.stoi:.3f}",
        )
        versions[f"{count} codebooks"] = resample(decoded.mono()[None], decoded.sample_rate, codec.sample_rate)[0]
    picture = out / "comparison.png"
    compare(picture, resample(recording.mono()[None], recording.sample_rate, codec.sample_rate)[0], versions, codec.sample_rate)
    name = audio or DEMO_NAME
    told = f"{name}: {recording.seconds:.2f} s at {recording.sample_rate} Hz, {size} bytes as WAV"
    console.print(f"{told}; {codec.name}, effort {EFFORT}, one thread")
    console.print(table)
    console.print(f"[bold]{out.resolve()}[/]: original.wav, codebooks-N.wlx, codebooks-N.wav, and the picture comparison.png")
