"""Opening files with failures in words, and files that are complete or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from wavelex.errors import WavelexError


def open_to_read(path: str | os.PathLike[str], kind: str) -> BinaryIO:
    """Open a file for reading. Raises WavelexError in words; `kind` says what is wanted where a folder was given."""
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise WavelexError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise WavelexError(f"{path}: is a folder; give {kind}") from error
    except OSError as error:
        raise WavelexError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


class replacing:
    """Context manager that gives the temporary path and renames it to `path` when the block ends without error.

    Raises WavelexError if the folder is missing or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary: Path | None = None

    def __enter__(self) -> Path:
        folder = self.path.parent
        if self.path.is_dir():
            raise WavelexError(f"{self.path}: is a folder; give the name of a file to write")
        if not folder.is_dir():
            raise WavelexError(f"{self.path}: its folder does not exist; create {folder} first")
        if self.path.exists() and not self.path.is_file():
            raise WavelexError(f"{self.path}: is a device or pipe, not a file; write to - for standard output")
        try:
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self.path.name}.", suffix=self.path.suffix)
        except OSError as error:
            raise WavelexError(
                f"{self.path}: cannot be written ({error.strerror}); check its folder's permissions or choose another place"
            ) from error
        os.close(handle)
        self._temporary = Path(name)
        return self._temporary

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self.abandon()
        elif self._temporary is not None:
            # Temporary files are private; the finished one gets the usual permissions, whoever wrote it in between.
            mask = os.umask(0)
            os.umask(mask)
            self._temporary.chmod(0o666 & ~mask)
            self._temporary.replace(self.path)

    def abandon(self) -> None:
        """Remove the temporary file and leave the place as it was."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
