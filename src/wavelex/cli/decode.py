"""`wavelex decode`: `.wlx` files to recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer

from wavelex.audio.samples import HIGHEST_RATE, LOWEST_RATE
from wavelex.audio.writing import AudioWriter
from wavelex.cli.common import Codebooks, Force, Json, MaxFrames, Out, Processes, SkipExisting
from wavelex.cli.jobs import Advance, Job, as_folder, plan, run_jobs
from wavelex.cli.models import model_once
from wavelex.cli.standard_streams import output, standard_input
from wavelex.codec.long_signals import DecodedSignal
from wavelex.errors import WavelexError
from wavelex.files import open_to_read, shown
from wavelex.models import DEFAULT_MODEL
from wavelex.tokens.format.container import Reader
from wavelex.tokens.tokens import LOST, AudioTokens, check_codes


def decode(
    inputs: Annotated[list[Path], typer.Argument(help="Token files (.wlx) or folders of them; - for standard input.")],
    out: Out = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model that encoded them.")] = DEFAULT_MODEL,
    codebooks: Codebooks = None,
    sample_rate: Annotated[int | None, typer.Option(help="Rate of the result; the recording's own unless given.")] = None,
    salvage: Annotated[bool, typer.Option(help="Decode what is intact of a damaged file; the rest fades to silence.")] = False,
    rescale: Annotated[bool, typer.Option(help="Turn a result down that would be clipped, instead of clipping it.")] = False,
    max_frames: MaxFrames = None,
    force: Force = False,
    skip_existing: SkipExisting = False,
    processes: Processes = 1,
    as_json: Json = False,
) -> None:
    """Decode .wlx files to recordings of exactly the encoded length (NAME.decoded.wav unless --out says where)."""
    if sample_rate is not None and not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise WavelexError(f"--sample-rate {sample_rate}: give hertz, from {LOWEST_RATE} to {HIGHEST_RATE}")
    ending = ".wav" if out else ".decoded.wav"
    jobs = plan(inputs, as_folder(out), ending, find_tokens, overwrite=force, skip_existing=skip_existing)
    model_once(model)
    run_jobs(jobs, DecodeWork(model, codebooks, sample_rate, salvage, rescale, max_frames), _tell, as_json, processes)


def find_tokens(folder: Path) -> list[Path]:
    """Token files below a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*.wlx") if not path.name.startswith("."))


@dataclass(frozen=True)
class DecodeWork:
    """Decodes one file piece by piece, in memory that does not grow with its length."""

    model: str
    codebooks: int | None
    sample_rate: int | None
    salvage: bool
    rescale: bool
    max_frames: int | None

    def __call__(self, job: Job, advance: Advance) -> dict[str, Any]:
        begun = time.perf_counter()
        codec = model_once(self.model)
        with standard_input() if job.reads_standard_input else open_to_read(job.source, "a .wlx file") as source:
            reader = Reader(source, job.name, codec.priors, self.max_frames)
            header = reader.header
            described = AudioTokens.from_header(header, np.zeros((header.streams, len(header.codebook_sizes), 0), np.int64))
            described = described if self.codebooks is None else described.prefix(self.codebooks)
            codec.check(described, job.name)
            rate = self.sample_rate or described.source_rate
            watched = _Watched(reader, described, self.salvage)
            decoding = codec.decoded(watched.pieces(), described, rate)
            peak = 0.0
            if self.rescale:
                peak = max((float(np.abs(samples).max(initial=0)) for samples in decoding), default=0.0)
                source.seek(0)
                watched = _Watched(Reader(source, job.name, codec.priors, self.max_frames), described, self.salvage)
                decoding = codec.decoded(watched.pieces(), described, rate)
            clipped = self._write(job, decoding, rate, 1 / max(1.0, peak), advance)
        return {
            "file": job.name,
            "audio": shown(job.target),
            "seconds": described.seconds,
            "sample_rate": rate,
            "streams": described.streams,
            "lost_seconds": watched.lost / described.frame_rate,
            "clipped_samples": clipped,
            "times_real_time": described.seconds / (time.perf_counter() - begun),
        }

    def _write(self, job: Job, decoding: DecodedSignal, rate: int, gain: float, advance: Advance) -> int:
        """How many samples were clipped."""
        if job.writes_standard_output:
            with output(job.target, True) as held:
                return _write_audio(held, decoding, rate, gain, advance)
        return _write_audio(job.target, decoding, rate, gain, advance)


def _write_audio(target: Path | BinaryIO, decoding: DecodedSignal, rate: int, gain: float, advance: Advance) -> int:
    clipped = written = 0
    with AudioWriter(target, rate, decoding.decoder.channels, decoding.length) as writer:
        for samples in decoding:
            clipped += int((np.abs(samples * gain) > 1).sum())
            writer.write(samples * np.float32(gain))
            written += samples.shape[1]
            advance(written / max(1, decoding.length))
    return clipped


class _Watched:
    """The codes of a file as they are read, and how many frames of them were lost."""

    def __init__(self, reader: Reader, described: AudioTokens, salvage: bool) -> None:
        self._reader, self._described, self._salvage = reader, described, salvage
        self.lost = 0

    def pieces(self) -> Iterator[np.ndarray]:
        for codes in self._reader.codes(self._salvage):
            check_codes(codes, self._reader.header.codebook_sizes, self._reader.name)
            self.lost += int((codes[0, 0] == LOST).sum())
            yield codes[:, : self._described.codebooks]


def _tell(result: dict[str, Any]) -> str:
    lost = f", {result['lost_seconds']:.2f} s of it lost" if result["lost_seconds"] else ""
    clipped = f", {result['clipped_samples']} samples clipped (--rescale turns it down instead)" if result["clipped_samples"] else ""
    return f"{result['file']} -> {result['audio']}: {result['seconds']:.2f} s{lost}{clipped}, {result['times_real_time']:.0f}x real time"
