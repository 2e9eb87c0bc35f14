"""`wavelex roundtrip`: hear and measure what a codec makes of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wavelex.audio.reading import find_audio
from wavelex.cli.common import BitrateText, Codebooks, Effort, Force, Json, Model, Out, SkipExisting, TargetText
from wavelex.cli.jobs import Advance, Job, as_folder, need_samples, plan, run_jobs
from wavelex.codec.codec import Codec
from wavelex.codec.hub import load
from wavelex.codec.options import EncodeOptions
from wavelex.errors import WavelexError
from wavelex.files import shown
from wavelex.models import DEFAULT_MODEL
from wavelex.search.effort import DEFAULT_EFFORT

ENDING = ".decoded.wav"


def roundtrip(
    inputs: Annotated[list[Path], typer.Argument(help="Recordings or folders of them.")],
    out: Out = None,
    model: Model = DEFAULT_MODEL,
    codebooks: Codebooks = None,
    bitrate: BitrateText = None,
    effort: Effort = DEFAULT_EFFORT,
    target: TargetText = None,
    force: Force = False,
    skip_existing: SkipExisting = False,
    as_json: Json = False,
) -> None:
    """Encode and decode; write the decoded WAV (NAME.decoded.wav) and print rate, speed, PESQ and STOI."""
    if any(str(path) == "-" for path in inputs):
        raise WavelexError("roundtrip needs files; use encode and decode for standard input")
    options = EncodeOptions(codebooks, bitrate, effort=effort, target=target)
    jobs = plan(inputs, as_folder(out), ENDING, _recordings, overwrite=force, skip_existing=skip_existing)
    codec = load(model)
    count = codec.choose_codebooks(options.codebooks, options.bitrate)
    run_jobs(jobs, lambda job, advance: _roundtrip(codec, job, advance, count, options), _tell, as_json)


def _recordings(folder: Path) -> list[Path]:
    return [path for path in find_audio(folder) if not path.name.endswith(ENDING)]


def _roundtrip(codec: Codec, job: Job, advance: Advance, codebooks: int, options: EncodeOptions) -> dict[str, Any]:
    from wavelex.audio.reading import read_audio
    from wavelex.bench.run.quick import there_and_back

    audio = read_audio(job.source)
    need_samples(job.name, len(audio))
    found = there_and_back(codec, audio, codebooks, options.effort, options.goal)
    found.decoded.save(job.target)
    advance(1.0)
    return {
        "file": job.name,
        "audio": shown(job.target),
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
