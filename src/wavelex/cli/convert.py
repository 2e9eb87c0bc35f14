"""The `convert` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavelex.cli.common import Force, json_object
from wavelex.codec.checkpoint import save_codec
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError


def convert(
    checkpoint: Annotated[
        Path, typer.Argument(help="Published weights: safetensors, a torch or Lightning checkpoint, or a folder of transformers.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The codec, as safetensors.")],
    name: Annotated[str, typer.Option("--name", help="Of the codec; the output file's unless given.")] = "",
    config: Annotated[
        str, typer.Option("--config", help="What the checkpoint does not say of its configuration, as JSON with its authors' names.")
    ] = "{}",
    force: Force = False,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in half precision: half the size, other codes where two are close.")
    ] = False,
) -> None:
    """Turn a published codec's weights into a codec of this library, after checking every tensor."""
    if output.exists() and (not force or output.samefile(checkpoint)):
        raise WavelexError(f"{output}: is there already; --force overwrites, but never the checkpoint itself")
    model, published, licence = import_checkpoint(checkpoint, json_object("--config", config))
    notes = {"converted from": f"{published} ({checkpoint.name})", "licence of the weights": licence}
    save_codec(output, model, name or output.stem, notes, half=half)
    print(f"{output}: {published} as design {model.design}, {sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters")
    print(f"licence of the weights as published: {licence}")
