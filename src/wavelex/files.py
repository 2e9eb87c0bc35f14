"""Opening files with failures in words, and files that are complete or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import BinaryIO

from wavelex.errors import WavelexError

_TEMPORARY = ".wavelex-"
_LONGEST_ENDING = 20
_STALE_SECONDS = 60
"""Age from which a temporary file that no process holds is one whose writer was killed."""


def shown(path: str | os.PathLike[str]) -> str:
    """A path that can be printed on one line anywhere: bytes that are not UTF-8, and control characters, as backslash sequences."""
    text = os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def open_to_read(path: str | os.PathLike[str], kind: str) -> BinaryIO:
    """Open a file for reading; what comes out of a pipe is held, so that it can be sought in.

    Raises WavelexError in words; `kind` says what is wanted where a folder was given.
    """
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and not stat.S_ISFIFO(mode):
            raise WavelexError(f"{shown(path)}: is a device or socket, not a file; give {kind}")
        opened = Path(path).open("rb")  # noqa: SIM115 - the caller closes it
        if stat.S_ISFIFO(mode):
            with opened:
                return spooled(opened)
        return opened
    except FileNotFoundError as error:
        raise WavelexError(f"{shown(path)}: no such file") from error
    except IsADirectoryError as error:
        raise WavelexError(f"{shown(path)}: is a folder; give {kind}") from error
    except OSError as error:
        raise WavelexError(f"{shown(path)}: cannot be read ({error.strerror}); check {_cause(error)}") from error
    except ValueError as error:
        raise WavelexError(f"{shown(path)}: no file can have such a name ({error}); check the quoting") from error


def is_pipe(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a pipe, such as a shell's process substitution gives, which can be read only once."""
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def spooled(stream: BinaryIO) -> BinaryIO:
    """All of a stream as a file that can be sought in, as headers need."""
    held = tempfile.SpooledTemporaryFile(max_size=1 << 24)  # noqa: SIM115 - read after this returns
    while chunk := stream.read(1 << 20):
        held.write(chunk)
    held.seek(0)
    return held  # type: ignore[return-value]


class replacing:
    """Context manager that gives the temporary path and renames it to `path` when the block ends without error.

    A symbolic link stays and its target is replaced; an existing file's permissions are kept. The content is on the disk before
    the name is (fsync). Temporary files of writers that were killed are removed by the next one in that folder.
    Raises WavelexError if the folder is missing or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary: Path | None = None

    def __enter__(self) -> Path:
        mode = self._check()
        self._target = Path(os.path.realpath(self.path))
        folder = self._target.parent
        if not folder.is_dir():
            raise WavelexError(f"{shown(self.path)}: its folder does not exist; create {shown(folder)} first")
        _remove_stale(folder)
        # The ending stays, since some writers go by it.
        temporary = folder / f"{_TEMPORARY}{secrets.token_hex(8)}{self._target.suffix[:_LONGEST_ENDING]}"
        try:
            # The system takes the umask off, which only it can do without disturbing other threads.
            self._handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
            # Held as long as this process lives, which tells that the file is not stale.
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WavelexError(
                f"{shown(self.path)}: cannot be written ({error.strerror}); check its folder's permissions or choose another place"
            ) from error
        self._mode = stat.S_IMODE(os.fstat(self._handle).st_mode) if mode is None else mode
        self._temporary = temporary
        return temporary

    def _check(self) -> int | None:
        """The permissions of the file that is there, if there is one. Raises WavelexError for what is no place for a file."""
        try:
            found = self.path.stat().st_mode
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise WavelexError(f"{shown(self.path)}: its folder does not exist; create {shown(self.path.parent)} first") from None
        except OSError as error:
            raise WavelexError(f"{shown(self.path)}: cannot be written ({error.strerror}); check {_cause(error)}") from error
        except ValueError as error:
            raise WavelexError(f"{shown(self.path)}: no file can have such a name ({error}); check the quoting") from error
        if stat.S_ISDIR(found):
            raise WavelexError(f"{shown(self.path)}: is a folder; give the name of a file to write")
        if not stat.S_ISREG(found):
            raise WavelexError(f"{shown(self.path)}: is a device or pipe, not a file; write to - for standard output")
        return stat.S_IMODE(found)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._temporary is None:
            return
        if kind is not None:
            self.abandon()
            return
        try:
            # Whoever wrote it may have put another file in its place, so it is opened again.
            written = os.open(self._temporary, os.O_RDONLY)
            try:
                os.fchmod(written, self._mode)
                os.fsync(written)
            finally:
                os.close(written)
            self._temporary.replace(self._target)
            _sync_folder(self._target.parent)
        except BaseException:
            self.abandon()
            raise
        os.close(self._handle)
        self._temporary = None

    def abandon(self) -> None:
        """Remove the temporary file and leave the place as it was."""
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            os.close(self._handle)
            self._temporary = None


@cache
def _remove_stale(folder: Path) -> None:
    """Remove temporary files of processes that were killed, once a folder: each living one holds a lock on its own."""
    with contextlib.suppress(OSError):
        for path in [entry for entry in folder.iterdir() if entry.name.startswith(_TEMPORARY)]:
            with contextlib.suppress(OSError):
                handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    if time.time() - os.fstat(handle).st_mtime > _STALE_SECONDS:
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()
                finally:
                    os.close(handle)


def _sync_folder(folder: Path) -> None:
    # Some file systems cannot, and then the rename is as lasting as they make it.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _cause(error: OSError) -> str:
    known = {errno.ELOOP: "where its symbolic links lead", errno.ENAMETOOLONG: "the quoting"}
    return known.get(error.errno or 0, "its permissions")
