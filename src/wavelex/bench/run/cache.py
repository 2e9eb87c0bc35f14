"""Measurements kept by content: the same clip, codec, settings and metric version are never measured twice."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wavelex.errors import WavelexError

WAIT_SECONDS = 60
AT_ONCE = 500
"""Keys asked for in one query."""


def content_key(*parts: object) -> str:
    """A key of everything that a measurement depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


class Cache:
    """JSON values by key in one file that several processes may write. Context manager.

    Raises WavelexError where the file cannot be opened or is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            # What a power cut takes is measured again; what a stopped process wrote stays.
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
        except (sqlite3.Error, OSError) as error:
            raise WavelexError(f"{path}: cannot be used to keep measurements ({error}); give another --cache") from error

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values that there are."""
        wanted, found = list(keys), {}
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            marks = ",".join("?" * len(some))
            for key, value in self._database.execute(f"SELECT key, value FROM kept WHERE key IN ({marks})", some):
                found[key] = json.loads(value)
        return found

    def put(self, key: str, value: Any) -> None:
        """Keep a value at once."""
        self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(value)))

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
