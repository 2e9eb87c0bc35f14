"""`wavelex encode`: recordings to `.wlx` files."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer

from wavelex.audio.reading import raw_pcm
from wavelex.audio.samples import Audio
from wavelex.cli.common import BitrateText, Codebooks, Effort, Force, Json, Model, Out, Processes, SkipExisting, TargetText
from wavelex.cli.jobs import Advance, Job, as_folder, need_samples, plan, run_jobs
from wavelex.cli.models import model_once
from wavelex.cli.standard_streams import output, standard_input
from wavelex.codec.codec import Codec
from wavelex.codec.long_signals import EncodedSignal, SourceReader
from wavelex.codec.options import EncodeOptions
from wavelex.files import shown
from wavelex.models import DEFAULT_MODEL
from wavelex.search.effort import DEFAULT_EFFORT
from wavelex.tokens.format.container import Writer
from wavelex.tokens.tokens import AudioTokens


def encode(
    inputs: Annotated[list[Path], typer.Argument(help="Recordings or folders of them; - for standard input.")],
    out: Out = None,
    model: Model = DEFAULT_MODEL,
    codebooks: Codebooks = None,
    bitrate: BitrateText = None,
    effort: Effort = DEFAULT_EFFORT,
    target: TargetText = None,
    per_channel: Annotated[bool, typer.Option(help="Code every channel on its own instead of their mix.")] = False,
    coding: Annotated[
        str | None,
        typer.Option(help="How codes become bits: neural (smallest), context, or packed (read and written at once); the first there is."),
    ] = None,
    packet: Annotated[int | None, typer.Option(min=1, help="Milliseconds a packet, each decodable alone, for links with losses.")] = None,
    raw_rate: Annotated[
        int | None, typer.Option(min=1000, max=768_000, help="Standard input is bare 16-bit little-endian mono samples at this rate.")
    ] = None,
    force: Force = False,
    skip_existing: SkipExisting = False,
    processes: Processes = 1,
    as_json: Json = False,
) -> None:
    """Encode speech to tokens in .wlx files."""
    options = EncodeOptions(codebooks, bitrate, per_channel, effort, target, coding, packet / 1000 if packet else None)
    jobs = plan(inputs, as_folder(out), ".wlx", overwrite=force, skip_existing=skip_existing)
    work = EncodeWork(model, options, raw_rate)
    work.check()
    run_jobs(jobs, work, _tell, as_json, processes)


@dataclass(frozen=True)
class EncodeWork:
    """Encodes one file piece by piece, in memory that does not grow with its length."""

    model: str
    options: EncodeOptions
    raw_rate: int | None

    def check(self) -> None:
        """Raises WavelexError for options that the model does not serve, before any file is opened."""
        codec = model_once(self.model)
        codec.choose_codebooks(self.options.codebooks, self.options.bitrate)
        codec.priors.for_coding(codec.weights_hash, self.options.coding)
        codec.block_frames(self.options)

    def __call__(self, job: Job, advance: Advance) -> dict[str, Any]:
        begun = time.perf_counter()
        codec = model_once(self.model)
        with SourceReader(self._source(job), None, codec.sample_rate) as opened, output(job.target, job.writes_standard_output) as target:
            encoding = codec.encoded(opened, self.options)
            self._write(codec, encoding, target, job, advance)
            size = target.tell()
        seconds = encoding.length / opened.sample_rate
        return {
            "file": job.name,
            "tokens": shown(job.target),
            "seconds": seconds,
            "codebooks": codec.choose_codebooks(self.options.codebooks, self.options.bitrate),
            "streams": encoding.encoder.streams,
            "bytes": size,
            "bits_per_second": 8 * size / seconds if seconds else 0.0,
            "times_real_time": seconds / (time.perf_counter() - begun),
        }

    def _source(self, job: Job) -> Path | BinaryIO | Audio:
        if not job.reads_standard_input:
            return job.source
        return raw_pcm(standard_input(), self.raw_rate) if self.raw_rate else standard_input()

    def _write(self, codec: Codec, encoding: EncodedSignal, target: BinaryIO, job: Job, advance: Advance) -> None:
        nothing = np.zeros((encoding.encoder.streams, codec.choose_codebooks(self.options.codebooks, self.options.bitrate), 0), np.int64)
        described = AudioTokens.from_codes(nothing, codec, encoding.source.sample_rate)
        header = described.header(self.options.coding, codec.block_frames(self.options))
        # No codes are known yet that could tell whether frames will have fewer codebooks.
        writer = Writer(target, replace(header, variable=self.options.goal is not None), job.name, codec.priors)
        for codes in encoding:
            writer.write(codes)
            advance(encoding.share)
        need_samples(job.name, encoding.length)
        writer.close(encoding.length)


def _tell(result: dict[str, Any]) -> str:
    return (
        f"{result['file']} -> {result['tokens']}: {result['seconds']:.2f} s, {result['bytes']} bytes, "
        f"{result['bits_per_second'] / 1000:.2f} kbit/s, {result['times_real_time']:.0f}x real time"
    )
