"""The `wavelex` command: one file a command, each a thin shell over the library."""

from __future__ import annotations

import io
import signal
import sys
from typing import Annotated

import typer

import wavelex
from wavelex.cli import bench, decode, demo, encode, info, prior, roundtrip, train
from wavelex.errors import WavelexError

EXTRAS = {"tensorboard": "train", **dict.fromkeys(("pesq", "pystoi", "matplotlib", "pyarrow", "PIL"), "bench")}
"""Which extra of the package brings a module."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wavelex {wavelex.__version__}")
        raise typer.Exit


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Speech as discrete tokens: encode, decode, train and measure codecs."""


app.command()(encode.encode)
app.command()(decode.decode)
app.command()(roundtrip.roundtrip)
app.command()(info.info)
app.command()(train.train)
app.command()(prior.prior)
app.command()(bench.bench)
app.command()(demo.demo)


def main() -> None:
    """Run the command line; a WavelexError is one line on standard error and exit code 2."""
    # Being told to stop unwinds as Ctrl-C does, so that temporary files go and what is done stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Unless something like nohup wants the end of the terminal ignored.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    # File names need not be UTF-8, and are printed all the same.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except WavelexError as error:
        print(f"wavelex: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        print(f"wavelex: this command needs {error.name}; pip install 'wavelex[{extra}]'", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
