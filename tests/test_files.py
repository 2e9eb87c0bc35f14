from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from wavelex.errors import WavelexError
from wavelex.files import replacing


def test_a_file_appears_whole_with_the_usual_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    mask = os.umask(0o022)
    try:
        with replacing(path) as temporary:
            save_file({"x": torch.zeros(3)}, temporary)
            assert not path.exists()
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644
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
    with pytest.raises(WavelexError, match="is a folder"), replacing(tmp_path):
        pass
    with pytest.raises(WavelexError, match="its folder does not exist; create"), replacing(tmp_path / "no" / "a"):
        pass
