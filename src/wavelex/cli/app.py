"""The `wavelex` command: one file a command, each a thin shell over the library, imported when it is called."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

import wavelex
from wavelex.errors import WavelexError
from wavelex.files import shown

COMMANDS = {
    "encode": "Encode speech to tokens in .wlx files.",
    "decode": "Decode .wlx files to recordings of exactly the encoded length.",
    "roundtrip": "Encode and decode; write the result and print rate, speed, PESQ and STOI.",
    "info": "Describe a token file (and check all of it) or a model.",
    "designs": "List the codec designs, or one with all that there is to know of it.",
    "convert": "Turn the published weights of a codec into a codec of this library.",
    "train": "Train a codec on your own recordings.",
    "prior": "Fit the token priors that make a codec's files small.",
    "bench": "Measure codecs side by side.",
    "race": "Train many codec designs on the same recordings by the same rules, and measure them side by side.",
    "demo": "Encode and decode one recording at several rates; print a table, leave the sound and a picture.",
}
"""What each does, in a line; its function and its options stand in the module of that name."""
EXTRAS = {"tensorboard": "train", **dict.fromkeys(("pesq", "pystoi", "matplotlib", "pyarrow", "PIL"), "bench")}
"""Which extra of the package brings a module."""


class LazyCommands(typer.core.TyperGroup):
    """Lists all commands without importing any, for they bring torch along."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What help needs to know of a command."""
        return typer.core.TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            only = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            only.command(name)(getattr(import_module(f"wavelex.cli.{name}"), name))
            command = typer.main.get_command(only)
        return name, command, rest


app = typer.Typer(cls=LazyCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"wavelex {wavelex.__version__}")
        raise typer.Exit


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    """Speech as discrete tokens: encode, decode, train and measure codecs."""


def main() -> None:
    """Run the command line; a WavelexError is one line on standard error and exit code 2."""
    # Being told to stop unwinds as Ctrl-C does, so that temporary files go and what is done stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Unless something like nohup wants the end of the terminal ignored; Windows has no such signal.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows fewer letters than a file's name shows some other ones instead.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = _run()
    try:
        sys.stdout.flush()
    except OSError as error:
        _say(f"standard output: {error.strerror}; make room or choose another place")
        code = 2
    sys.exit(code)


def _run() -> Any:
    try:
        app()
    except SystemExit as stop:
        return stop.code
    except WavelexError as error:
        _say(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        _say(f"this command needs {error.name}; pip install 'wavelex[{extra}]'")
    except BrokenPipeError:
        sys.stderr.close()
        return 141
    except OSError as error:
        _say(f"{error.filename or 'output'}: {error.strerror or error}; make room or choose another place")
    return 2


def _say(message: str) -> None:
    print(f"wavelex: {shown(message)}", file=sys.stderr)
