"""The `wavelex` command: one file a command, each a thin shell over the library."""

from __future__ import annotations

import sys

import typer

from wavelex.cli import train
from wavelex.errors import WavelexError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Speech as discrete tokens."""


app.command()(train.train)


def main() -> None:
    """Run the command line; a WavelexError is one line on standard error and exit code 2."""
    try:
        app()
    except WavelexError as error:
        print(f"wavelex: {error}", file=sys.stderr)
        sys.exit(2)
