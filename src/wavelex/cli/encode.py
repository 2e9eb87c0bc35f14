"""`wavelex encode`: recordings to `.wlx` files."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer

from wavelex.cli.common import (
    STANDARD_STREAM,
    BitrateText,
    Codebooks,
    Effort,
    Job,
    Json,
    Model,
    Out,
    TargetText,
    need_samples,
    parse_bitrate,
    parse_target,
    plan,
    run_jobs,
)
from wavelex.codec.codec import Codec
from wavelex.codec.hub import DEFAULT_MODEL, load
from wavelex.codec.long_signals import EncodedBlocks, SourceReader
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.search.effort import DEFAULT_EFFORT
from wavelex.search.target import Target
from wavelex.tokens.entropy.blocks import COUNT_GROUP
from wavelex.tokens.format.container import Writer
from wavelex.tokens.format.header import BLOCK_FRAMES, Header
from wavelex.tokens.tokens import choose_coding


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
        str | None, typer.Option(help="How codes become bits: neural, context or packed; the smallest there is, unless given.")
    ] = None,
    packet: Annotated[int | None, typer.Option(min=1, help="Milliseconds a packet, each decodable alone, for links with losses.")] = None,
    as_json: Json = False,
) -> None:
    """Encode speech to tokens in .wlx files."""
    jobs = plan(inputs, out, ".wlx")
    codec = load(model)
    count = codec.choose_codebooks(codebooks, parse_bitrate(bitrate))
    choose_coding(codec.weights_hash, coding)
    frames = BLOCK_FRAMES if packet is None else max(1, round(packet / 1000 * codec.frame_rate))
    if frames > BLOCK_FRAMES:
        raise WavelexError(f"--packet {packet}: give at most {1000 * BLOCK_FRAMES / codec.frame_rate:.0f} milliseconds")
    if target and frames % COUNT_GROUP:
        frames += COUNT_GROUP - frames % COUNT_GROUP
    options = Options(count, effort, parse_target(target), per_channel, coding, frames)
    run_jobs(jobs, lambda job: encode_file(codec, job, options), _tell, as_json)


@dataclass(frozen=True)
class Options:
    """How files are encoded."""

    codebooks: int
    effort: int
    target: Target | None
    per_channel: bool
    coding: str | None
    block_frames: int


def encode_file(codec: Codec, job: Job, options: Options) -> dict[str, Any]:
    """Encode one file block by block, in memory that does not grow with its length."""
    begun = time.perf_counter()
    source: Path | BinaryIO = spooled(getattr(sys.stdin, "buffer", None)) if str(job.source) == STANDARD_STREAM else job.source
    with SourceReader(source, codec.sample_rate) as opened:
        if str(job.target) == STANDARD_STREAM:
            with tempfile.TemporaryFile() as buffer:
                encoding = _write(codec, opened, buffer, options)
                size = buffer.tell()
                buffer.seek(0)
                while chunk := buffer.read(1 << 20):
                    sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        else:
            with replacing(job.target) as temporary, temporary.open("w+b") as target:
                encoding = _write(codec, opened, target, options)
                size = target.tell()
    seconds = encoding.length / opened.sample_rate
    return {
        "file": str(job.source),
        "tokens": str(job.target),
        "seconds": seconds,
        "codebooks": options.codebooks,
        "streams": encoding.session.streams,
        "bytes": size,
        "bits_per_second": 8 * size / seconds if seconds else 0.0,
        "times_real_time": seconds / (time.perf_counter() - begun),
    }


def spooled(stream: BinaryIO | None) -> BinaryIO:
    """A standard stream as a file that can be sought in, as audio headers need. Raises WavelexError when it is closed."""
    if stream is None:
        raise WavelexError("standard input is closed; pipe something into it")
    held = tempfile.SpooledTemporaryFile(max_size=1 << 24)  # noqa: SIM115 - read after this returns
    while chunk := stream.read(1 << 20):
        held.write(chunk)
    held.seek(0)
    return held  # type: ignore[return-value]


def _write(codec: Codec, source: SourceReader, target: BinaryIO, options: Options) -> EncodedBlocks:
    encoding = codec.encode_blocks(
        source, options.codebooks, options.per_channel, options.effort, options.target, options.coding, options.block_frames
    )
    writer: Writer | None = None
    for codes in encoding:
        writer = writer or Writer(target, _header(codec, codes, source.sample_rate, options), source.name)
        writer.write(codes)
    assert writer is not None, "an encoding always ends with what its flush gives"
    need_samples(source.name, encoding.length)
    writer.close(encoding.length)
    return encoding


def _header(codec: Codec, codes: np.ndarray, source_rate: int, options: Options) -> Header:
    header = codec.describe(codes, source_rate, 0).header(options.coding, options.block_frames)
    # The first codes do not tell whether later frames will have fewer codebooks.
    return replace(header, variable=options.target is not None)


def _tell(result: dict[str, Any]) -> str:
    return (
        f"{result['file']} -> {result['tokens']}: {result['seconds']:.2f} s, {result['bytes']} bytes, "
        f"{result['bits_per_second'] / 1000:.2f} kbit/s, {result['times_real_time']:.0f}x real time"
    )
