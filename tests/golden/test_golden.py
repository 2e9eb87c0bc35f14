"""Token files of an earlier version of the program: read to the same codes, and version 2 written to the same bytes, everywhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from golden_files import FOLDER, KNOWN, digest, rewritten, wrong

from wavelex.tokens.format.header import read_header
from wavelex.tokens.tokens import AudioTokens

PLAINEST = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}
"""The fewest processor features that torch's libraries can be held to."""
QUICK = ["coarsest-neural", "empty-neural", "rate-distortion-context", "varying-neural"]


def test_there_is_a_digest_for_every_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.wlx")} == set(KNOWN) and len(KNOWN) > 10


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_golden_files_decode_and_are_written_as_they_were(name: str) -> None:
    assert wrong([name]) == []


@pytest.mark.parametrize("name", QUICK)
def test_golden_files_in_version_3_are_4_bytes_longer_and_decode_alike(name: str) -> None:
    data = (FOLDER / f"{name}.wlx").read_bytes()
    tokens = AudioTokens.from_bytes(data)
    assert list(tokens.codes.shape) == KNOWN[name]["shape"]
    newer = rewritten(tokens, replace(read_header(io.BytesIO(data), name), version=3))
    assert len(newer) == len(data) + 4 and newer[4] == 3
    assert digest(AudioTokens.from_bytes(newer)) == KNOWN[name]["codes"]


def wrong_with(settings: dict[str, str], names: list[str]) -> list[str]:
    script = str(FOLDER / "golden_files.py")
    done = subprocess.run([sys.executable, script, *names], env=os.environ | settings, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_golden_files_decode_alike_with_the_fewest_processor_features() -> None:
    assert wrong_with(PLAINEST, QUICK) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [*({name: value} for name, value in PLAINEST.items()), {"ATEN_CPU_CAPABILITY": "avx2"}, {"OMP_NUM_THREADS": "2"}],
    ids=str,
)
def test_golden_files_decode_alike_with_any_processor_features(settings: dict[str, str]) -> None:
    assert wrong_with(settings, sorted(KNOWN)) == []
