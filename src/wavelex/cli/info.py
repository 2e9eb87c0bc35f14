"""`wavelex info`: what a token file or a model is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wavelex.cli.common import Json, MaxFrames
from wavelex.cli.jobs import is_file
from wavelex.errors import WavelexError
from wavelex.files import open_to_read, shown
from wavelex.models import DEFAULT_MODEL
from wavelex.tokens.format.container import Reader
from wavelex.tokens.format.header import MAGIC

MOST_TOLD = 20


def info(
    target: Annotated[str, typer.Argument(help="A .wlx file, or a model: shipped name, checkpoint or run folder.")] = DEFAULT_MODEL,
    max_frames: MaxFrames = None,
    as_json: Json = False,
) -> None:
    """Describe a token file (and check all of it) or a model."""
    path = Path(target)
    if is_file(path):
        with open_to_read(path, "a .wlx file") as source:
            is_tokens = source.read(4) == MAGIC
        if is_tokens or path.suffix == ".wlx":
            _print(describe_file(path, max_frames), as_json)
            return
    _print(describe_model(target), as_json)


def describe_file(path: Path, max_frames: int | None = None) -> dict[str, Any]:
    """The header in words and the state of every block."""
    with open_to_read(path, "a .wlx file") as source:
        reader = Reader(source, shown(path), max_frames=max_frames)
        damaged = _told([reader.describe(damage) for damage in reader.check()])
        damaged += filter(None, [reader.ending()])
    header = reader.header
    seconds = header.length / header.source_rate
    size = path.stat().st_size
    return {
        "file": shown(path),
        "model": header.model,
        "weights": header.weights_hash,
        "seconds": seconds,
        "source_rate": header.source_rate,
        "streams": header.streams,
        "version": header.version,
        "coding": header.coding,
        "codebooks": len(header.codebook_sizes),
        "varying_codebooks": header.variable,
        "codebook_sizes": list(header.codebook_sizes),
        "frames": header.frames,
        "bytes": size,
        "nominal_bits_per_second": sum(header.bits) * header.streams * header.sample_rate / header.hop_length,
        "bits_per_second": 8 * size / seconds if seconds else 0.0,
        "codes_checked": reader.decodable,
        "damage": damaged,
    }


def _told(damages: list[str]) -> list[str]:
    """All of a few, the first of many."""
    return damages if len(damages) <= MOST_TOLD else [*damages[:MOST_TOLD], f"and {len(damages) - MOST_TOLD} more blocks"]


def describe_model(name: str) -> dict[str, Any]:
    """A model's identity, size, rates and latency."""
    if Path(name).suffix in {".wav", ".flac", ".mp3", ".ogg", ".opus"} and Path(name).exists():
        raise WavelexError(f"{name}: is a recording; info describes .wlx files and models")
    # Imported late: a token file is described without torch.
    from wavelex.codec.hub import load

    codec = load(name)
    model = codec.model
    return {
        "model": codec.name,
        "weights": codec.weights_hash,
        "design": model.design,
        "arguments": model.arguments,
        "parameters": sum(p.numel() for p in model.parameters())
        + sum(counts.numel() * model.encoder.dim for counts in model.quantizer.usage()),
        "sample_rate": codec.sample_rate,
        "frame_rate": codec.frame_rate,
        "codebook_sizes": codec.codebook_sizes,
        "bits_per_second": [codec.bitrate(n) for n in range(1, codec.codebooks + 1)],
        "lookahead_ms": 1000 * model.lookahead / codec.sample_rate,
        "latency_ms": 1000 * codec.latency,
        "notes": codec.notes,
    }


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(values))
        return
    for key, value in values.items():
        print(f"{key.replace('_', ' '):24} {_shown(value)}")


def _shown(value: Any) -> str:
    """A value of a description for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ("; " if any(isinstance(each, str) for each in value) else ", ").join(_told_number(each) for each in value) or "none"
    return str(value)


def _told_number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
