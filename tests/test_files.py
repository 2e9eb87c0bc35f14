from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from wavelex.errors import WavelexError
from wavelex.files import _remove_stale, open_to_read, replacing, shown


@pytest.fixture
def mask() -> int:
    before = os.umask(0o022)
    yield 0o022
    os.umask(before)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_appears_whole_with_the_usual_permissions(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "a.bin"
    with replacing(path) as temporary:
        save_file({"x": torch.zeros(3)}, temporary)
        assert not path.exists()
    assert mode_of(path) == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_alone(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "a.bin"
    path.write_text("before")
    with pytest.raises(failure), replacing(path) as temporary:
        temporary.write_text("half")
        raise failure
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_are_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "a", "its folder does not exist; create"),
        (tmp_path / "a\0b", r"a\\x00b: no file can have such a name .*check the quoting"),
        (tmp_path / "loop", "Too many levels of symbolic links.*check where its symbolic links lead"),
        (tmp_path / ("n" * 256), "File name too long.*check the quoting"),
        (Path("/dev/null"), "is a device or pipe"),
    ]:
        with pytest.raises(WavelexError, match=words), replacing(path):
            pass


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_the_permissions_of_a_file_that_is_replaced_are_kept(tmp_path: Path, mask: int, mode: int) -> None:
    path = tmp_path / "a.bin"
    path.write_text("before")
    path.chmod(mode)
    with replacing(path) as temporary:
        assert mode_of(temporary) == 0o600
        temporary.write_text("after")
    assert (path.read_text(), mode_of(path)) == ("after", mode)


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a.bin", tmp_path / "link.bin"
    link.symlink_to(target)
    for text in ("first", "second"):
        with replacing(link) as temporary:
            temporary.write_text(text)
        assert link.is_symlink() and target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("name", ["n" * 244 + ".wav", "n" * 255, "x." + "n" * 250, "é" * 127])
def test_names_of_any_length_that_a_file_can_have_are_written(tmp_path: Path, name: str) -> None:
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("x")
    assert (tmp_path / name).read_text() == "x"


def test_threads_keep_their_permissions(tmp_path: Path, mask: int) -> None:
    """Nobody else may see another umask, not even for a moment."""

    def write(thread: int) -> None:
        for number in range(100):
            with replacing(tmp_path / f"{thread}-{number}") as temporary:
                temporary.write_text("x")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert {mode_of(path) for path in tmp_path.iterdir()} == {0o644}


def test_the_content_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append("sync"), sync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda path, to: (done.append("rename"), rename(path, to))[1])
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("x")
    assert done == ["sync", "rename", "sync"]


def test_a_failing_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no"), replacing(tmp_path / "a") as temporary:
        temporary.write_text("x")
    assert list(tmp_path.iterdir()) == []


def write_for_ever(path: Path, ready: Connection) -> None:
    with replacing(path) as temporary:
        temporary.write_text("half")
        ready.send(temporary)
        time.sleep(60)


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers, left = [], []
    for name in ("a", "b"):
        here, there = context.Pipe()
        writers.append(context.Process(target=write_for_ever, args=(tmp_path / name, there)))
        writers[-1].start()
        left.append(here.recv())
        os.utime(left[-1], (time.time() - 3600,) * 2)
    writers[0].kill()
    writers[0].join()
    _remove_stale.cache_clear()
    with replacing(tmp_path / "mine.bin") as temporary:
        temporary.write_text("x")
    assert [path.exists() for path in left] == [False, True]
    writers[1].kill()
    writers[1].join()


COMMAND = """
import signal, sys, time
from pathlib import Path
from wavelex.cli import app
from wavelex.files import replacing

def write():
    with replacing(Path(sys.argv[1])) as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(60)

# What started the tests may have had it ignored, which the command would leave so.
signal.signal(getattr(signal, sys.argv[2]), signal.SIG_DFL)
app.app = write
app.main()
"""


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_a_command_that_is_told_to_stop_leaves_nothing(name: str, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(tmp_path / "a"), name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout and child.stdout.readline() == "ready\n" and len(list(tmp_path.iterdir())) == 1
    child.send_signal(getattr(signal, name))
    assert child.wait() != 0 and list(tmp_path.iterdir()) == []


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"abc" * 1000,))
    feeder.start()
    with open_to_read(tmp_path / "pipe", "a file") as opened:
        opened.seek(2999)
        assert opened.read() == b"c"
    feeder.join()


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, words in [
        (tmp_path, "is a folder; give a file"),
        (tmp_path / "none", "no such file"),
        (tmp_path / "a\0b", r"a\\x00b: no file can have such a name"),
        (tmp_path / "loop", "Too many levels of symbolic links"),
        (Path("/dev/zero"), "is a device"),
    ]:
        with pytest.raises(WavelexError, match=words):
            open_to_read(path, "a file")


def test_any_name_is_shown_on_one_line() -> None:
    name = shown(os.fsdecode(b"caf\xe9\n\x1b[2J\xc3\xa9.wav"))
    assert name == "caf\\xe9\\n\\x1b[2Jé.wav"
    assert name.encode("utf-8")
