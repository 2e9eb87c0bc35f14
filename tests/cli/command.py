"""The command line in this process."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from wavelex.cli import app


class Result(NamedTuple):
    code: int
    out: str
    err: str


class CommandLine:
    """Runs `wavelex` with the given words."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *words: object) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["wavelex", *map(str, words)])
        try:
            app.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Result(code, *self._capfd.readouterr())
