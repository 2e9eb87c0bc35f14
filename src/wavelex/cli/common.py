"""Options that several commands share."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from wavelex.errors import WavelexError
from wavelex.search.effort import LEVELS

Model = Annotated[str, typer.Option("--model", "-m", help="Shipped model, checkpoint or folder of a training run.")]
Codebooks = Annotated[int | None, typer.Option("--codebooks", "-n", help="How many codebooks to use.")]
BitrateText = Annotated[
    str | None, typer.Option("--bitrate", "-b", help="Instead of codebooks: bits a second a stream, e.g. 1500 or 1.5k.")
]
TargetText = Annotated[
    str | None,
    typer.Option("--target", "-t", help="What varying frames aim at: an average of bits a second a stream (1.2k), or a quality (q4)."),
]
Effort = Annotated[
    int, typer.Option("--effort", "-e", min=0, max=len(LEVELS) - 1, help="How long to look for good codes: 0 fastest, 9 best.")
]
MaxFrames = Annotated[
    int | None, typer.Option(min=0, help="Read files of up to so many frames, even where a file is too small to hold them honestly.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a file, for machines.")]
Out = Annotated[
    str | None, typer.Option("--out", "-o", help="Output file (one input) or folder (several, or ending in /); - for standard output.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite outputs that are there already.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Leave out inputs whose output is there already.")]
Processes = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Files worked on at a time, each on one thread of its own.")]


def json_object(option: str, text: str) -> dict[str, Any]:
    """What an option says in JSON. Raises WavelexError for what is no JSON object."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WavelexError(f"{option} {text[:80]!r}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise WavelexError(f"{option} {text[:80]!r}: give a JSON object")
    return values
