from __future__ import annotations

from pathlib import Path

from conftest import voice

from wavelex.bench.report.pictures import compare


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    compare(tmp_path / "a.png", voice(1), {"copy": voice(1)}, 16000)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
