"""The one exception that users are meant to see, and names as they can be shown."""

from __future__ import annotations

import os


class WavelexError(Exception):
    """Something the user can put right; its message is one line that names the file or value and says how."""


def printable(text: str | os.PathLike[str]) -> str:
    """A file name or message on one line that any terminal can show: what is not UTF-8 or would control the terminal is replaced."""
    shown = str(text).encode(errors="replace").decode()
    return "".join(c if c.isprintable() else "?" for c in shown)
