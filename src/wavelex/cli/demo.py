"""`wavelex demo`: a recording there and back at several rates, measured, with a picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Column, Table

from wavelex.audio.reading import read_audio
from wavelex.audio.resampling import resample
from wavelex.audio.samples import Audio
from wavelex.bench.report.pictures import compare
from wavelex.bench.run.quick import scores
from wavelex.cli.common import Model
from wavelex.cli.jobs import need_samples
from wavelex.codec.codec import Codec
from wavelex.codec.hub import load
from wavelex.data import DEMO_NAME, demo_recording
from wavelex.errors import WavelexError
from wavelex.models import DEFAULT_MODEL
from wavelex.tokens.tokens import AudioTokens

COUNTS = (1, 2, 4, 8)
COLUMNS = ("code-\nbooks", "kbit/s", "tokens/s", "bytes", "times\nsmaller", "encode", "decode", "PESQ", "STOI")
CAPTION = (
    "bytes: of the token file; times smaller: than the WAV file; encode, decode: times faster than real time; "
    "PESQ: wideband, 1 to 4.6; STOI: 0 to 1"
)


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
    recording.save(out / "original.wav")
    size = (out / "original.wav").stat().st_size
    codec.decode(codec.encode(recording))  # so that the first measured row does not pay for starting up
    table = Table(*(Column(name, justify="right") for name in COLUMNS), caption=CAPTION)
    versions = {}
    for count in [n for n in COUNTS if n <= codec.codebooks]:
        decoded, row = _row(codec, recording, count, out, size)
        table.add_row(*row)
        versions[f"{count} codebooks\n{row[1]} kbit/s" if count > 1 else f"1 codebook\n{row[1]} kbit/s"] = _at(codec, decoded)
    compare(out / "comparison.png", _at(codec, recording), versions, codec.sample_rate)
    console = Console()
    told = f"{audio or DEMO_NAME}: {recording.seconds:.2f} s at {recording.sample_rate} Hz, {size} bytes as WAV"
    console.print(f"{told}; {codec.name}, one thread")
    console.print(table)
    console.print(f"[bold]{out.resolve()}[/]: original.wav, codebooks-N.wlx, codebooks-N.wav, and the picture comparison.png")


def _row(codec: Codec, recording: Audio, count: int, out: Path, size: int) -> tuple[Audio, list[str]]:
    """Through a file, as `wavelex encode` and `wavelex decode` do it; every figure is of that file and of what was read from it."""
    file = out / f"codebooks-{count}.wlx"
    begun = time.perf_counter()
    tokens = codec.encode(recording, codebooks=count)
    tokens.save(file)
    encoded = time.perf_counter()
    decoded = codec.decode(AudioTokens.load(file, codec=codec))
    ended = time.perf_counter()
    decoded.save(out / f"codebooks-{count}.wav")
    pesq, stoi, _ = scores(recording, decoded)
    written = file.stat().st_size
    return decoded, [
        str(count),
        f"{8e-3 * written / recording.seconds:.2f}",
        f"{tokens.tokens_per_second:.0f}",
        str(written),
        f"{size / written:.0f}",
        f"{recording.seconds / (encoded - begun):.1f}",
        f"{recording.seconds / (ended - encoded):.1f}",
        "-" if pesq is None else f"{pesq:.2f}",
        "-" if stoi is None else f"{stoi:.3f}",
    ]


def _at(codec: Codec, audio: Audio) -> np.ndarray:
    """Mono samples (T,) at the codec's rate."""
    samples: np.ndarray = resample(audio.mono()[None], audio.sample_rate, codec.sample_rate)[0]
    return samples
