"""`wavelex roundtrip`: hear and measure what a codec makes of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wavelex.audio.files import find_audio
from wavelex.cli.common import (
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
from wavelex.errors import WavelexError
from wavelex.search.effort import DEFAULT_EFFORT
from wavelex.search.target import Target

ENDING = ".decoded.wav"


def roundtrip(
    inputs: Annotated[list[Path], typer.Argument(help="Recordings or folders of them.")],
    out: Out = None,
    model: Model = DEFAULT_MODEL,
    codebooks: Codebooks = None,
    bitrate: BitrateText = None,
    effort: Effort = DEFAULT_EFFORT,
    target: TargetText = None,
    as_json: Json = False,
) -> None:
    """Encode and decode; write the decoded WAV (NAME.decoded.wav) and print rate, speed, PESQ and STOI."""
    if any(str(path) == "-" for path in inputs):
        raise WavelexError("roundtrip needs files; use encode and decode for standard input")
    jobs = plan(inputs, out, ENDING, lambda folder: [path for path in find_audio(folder) if not path.name.endswith(ENDING)])
    codec = load(model)
    count = codec.choose_codebooks(codebooks, parse_bitrate(bitrate))
    aim = parse_target(target)
    run_jobs(jobs, lambda job: _roundtrip(codec, job, count, effort, aim), _tell, as_json)


def _roundtrip(codec: Codec, job: Job, codebooks: int, effort: int, target: Target | None) -> dict[str, Any]:
    from wavelex.audio.files import read_audio
    from wavelex.bench.quick import there_and_back

    audio = read_audio(job.source)
    need_samples(str(job.source), len(audio))
    found = there_and_back(codec, audio, codebooks, effort, target)
    found.decoded.save(job.target)
    return {
        "file": str(job.source),
        "audio": str(job.target),
        "seconds": found.decoded.seconds,
        "codebooks": codebooks,
        "bits_per_second": 1000 * found.kbps,
        "times_real_time": found.speed,
        "pesq": found.pesq,
        "stoi": found.stoi,
        "not_scored": found.refusal,
    }


def _tell(result: dict[str, Any]) -> str:
    shown = [f"{name.upper()} {result[name]:.3f}" for name in ("pesq", "stoi") if result[name] is not None]
    return (
        f"{result['file']} -> {result['audio']}: {result['bits_per_second'] / 1000:.2f} kbit/s, "
        f"{result['times_real_time']:.0f}x real time, " + ", ".join([*shown, *filter(None, [result["not_scored"]])])
    )
