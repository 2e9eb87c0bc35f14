"""Standard input and output as files that can be sought in."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wavelex.errors import WavelexError
from wavelex.files import replacing, spooled

_CHUNK = 1 << 20


def standard_input() -> BinaryIO:
    """All of standard input, in memory or a temporary file. Raises WavelexError when it is closed."""
    stream: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise WavelexError("standard input is closed; pipe something into it")
    return spooled(stream)


@contextmanager
def output(target: Path, standard: bool) -> Iterator[BinaryIO]:
    """A file to write to: the target, complete or not at all, or what goes to standard output when it is complete."""
    if not standard:
        with replacing(target) as temporary, temporary.open("w+b") as opened:
            yield opened
        return
    with tempfile.TemporaryFile() as held:
        yield held
        held.seek(0)
        while chunk := held.read(_CHUNK):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
