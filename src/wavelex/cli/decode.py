"""`wavelex decode`: `.wlx` files to recordings."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
import typer

from wavelex.audio.files import AudioWriter
from wavelex.cli.common import STANDARD_STREAM, Codebooks, Job, Json, Out, plan, run_jobs
from wavelex.cli.encode import spooled
from wavelex.codec.codec import Codec
from wavelex.codec.hub import DEFAULT_MODEL, load
from wavelex.codec.long_signals import DecodedBlocks
from wavelex.errors import WavelexError
from wavelex.files import open_to_read
from wavelex.tokens.format.container import Reader
from wavelex.tokens.tokens import LOST, AudioTokens, check_codes


def decode(
    inputs: Annotated[list[Path], typer.Argument(help="Token files (.wlx) or folders of them; - for standard input.")],
    out: Out = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model that encoded them.")] = DEFAULT_MODEL,
    codebooks: Codebooks = None,
    sample_rate: Annotated[int | None, typer.Option(help="Rate of the result; the recording's own unless given.")] = None,
    salvage: Annotated[bool, typer.Option(help="Decode what is intact of a damaged file; the rest fades to silence.")] = False,
    as_json: Json = False,
) -> None:
    """Decode .wlx files to recordings of exactly the encoded length (NAME.decoded.wav unless --out says where)."""
    if sample_rate is not None and not 1000 <= sample_rate <= 768_000:
        raise WavelexError(f"--sample-rate {sample_rate}: give hertz, from 1000 to 768000")
    jobs = plan(inputs, out, ".wav" if out else ".decoded.wav", find_tokens)
    codec = load(model)
    run_jobs(jobs, lambda job: decode_file(codec, job, codebooks, sample_rate, salvage), _tell, as_json)


def find_tokens(folder: Path) -> list[Path]:
    """Token files below a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*.wlx") if not path.name.startswith("."))


def decode_file(codec: Codec, job: Job, codebooks: int | None, sample_rate: int | None, salvage: bool) -> dict[str, Any]:
    """Decode one file block by block, in memory that does not grow with its length."""
    begun = time.perf_counter()
    standard = str(job.source) == STANDARD_STREAM
    name = "standard input" if standard else str(job.source)
    with spooled(getattr(sys.stdin, "buffer", None)) if standard else open_to_read(job.source, "a .wlx file") as source:
        reader = Reader(source, name)
        described = AudioTokens.from_header(
            reader.header, np.zeros((reader.header.streams, len(reader.header.codebook_sizes), 0), np.int64)
        )
        described = described.prefix(codebooks) if codebooks is not None else described
        codec.check(described, name)
        rate = sample_rate or described.source_rate
        lost: list[int] = []
        blocks = codec.decode_blocks(_checked(reader, described, salvage, lost), described, rate)
        if str(job.target) == STANDARD_STREAM:
            with tempfile.TemporaryFile() as buffer:
                _write(buffer, blocks, rate)
                buffer.seek(0)
                while chunk := buffer.read(1 << 20):
                    sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
        else:
            _write(job.target, blocks, rate)
    return {
        "file": name,
        "audio": str(job.target),
        "seconds": described.seconds,
        "sample_rate": rate,
        "streams": described.streams,
        "lost_seconds": sum(lost) / described.frame_rate,
        "times_real_time": described.seconds / (time.perf_counter() - begun),
    }


def _checked(reader: Reader, described: AudioTokens, salvage: bool, lost: list[int]) -> Iterator[np.ndarray]:
    for codes in reader.codes(salvage):
        check_codes(codes, reader.header.codebook_sizes, reader.name)
        lost.append(int((codes[0, 0] == LOST).sum()))
        yield codes[:, : described.codebooks]


def _write(target: Path | BinaryIO, blocks: DecodedBlocks, rate: int) -> None:
    with AudioWriter(target, rate, blocks.session.streams, blocks.length) as writer:
        for samples in blocks:
            writer.write(samples)


def _tell(result: dict[str, Any]) -> str:
    lost = f", {result['lost_seconds']:.2f} s of it lost" if result["lost_seconds"] else ""
    return f"{result['file']} -> {result['audio']}: {result['seconds']:.2f} s{lost}, {result['times_real_time']:.0f}x real time"
