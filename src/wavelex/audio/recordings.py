"""Lists of recordings: a folder or a manifest, with what is known of each."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from wavelex.audio.reading import find_audio
from wavelex.errors import WavelexError
from wavelex.files import shown

_WANTED = "give a folder of recordings or a text file with a path a line"


@dataclass(frozen=True)
class Recording:
    """A file and what a manifest says of it; what is not known is empty."""

    path: Path
    name: str
    """Its path relative to the folder or manifest it was listed in."""
    kind: str = ""
    """speech, sound, music, ..."""
    speaker: str = ""
    language: str = ""
    text: str = ""


def list_recordings(source: Path) -> list[Recording]:
    """Recordings of a folder, or of a manifest: one path a line, or tab-separated with a column `path`.

    Quotes are part of a text. Columns kind, speaker, language and text are taken from the manifest; a folder's are looked up in a
    `manifest.tsv` in it or in its parent. Paths in a manifest are relative to it. Raises WavelexError when there is nothing to read.
    """
    if source.is_dir():
        known = {}
        for place in (source, source.parent):
            if (place / "manifest.tsv").is_file():
                known = {os.path.realpath(row.path): row for row in _read_manifest(place / "manifest.tsv")}
                break
        found = []
        for path in find_audio(source):
            row = known.get(os.path.realpath(path))
            # A name that is not UTF-8 could be shown and stored nowhere.
            name = str(path.relative_to(source)).encode(errors="replace").decode()
            found.append(Recording(path, name, row.kind, row.speaker, row.language, row.text) if row else Recording(path, name))
    elif source.is_file():
        found = _read_manifest(source)
    else:
        raise WavelexError(f"{shown(source)}: no such folder or manifest")
    if not found:
        raise WavelexError(f"{shown(source)}: holds no audio files (wav, flac, ogg, opus, mp3)")
    return found


def _read_manifest(path: Path) -> list[Recording]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            # Texts hold quotes, which mean nothing: a row is a line, and a tab is what parts its columns.
            rows = [row for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise WavelexError(f"{shown(path)}: not a manifest; {_WANTED}") from error
    except OSError as error:
        raise WavelexError(f"{shown(path)}: cannot be read ({error.strerror}); check its permissions") from error
    if any("\0" in cell for row in rows for cell in row):
        raise WavelexError(f"{shown(path)}: not a manifest (it has NUL characters); {_WANTED}")
    if not rows or "path" not in rows[0]:
        return [Recording(path.parent / row[0], row[0]) for row in rows if row[0]]
    columns = rows[0]
    found = []
    for row in rows[1:]:
        values = dict(zip(columns, row, strict=False))
        if values.get("path"):
            known = {key: values.get(key, "") for key in ("kind", "speaker", "language", "text")}
            found.append(Recording(path.parent / values["path"], values["path"], **known))
    return found
