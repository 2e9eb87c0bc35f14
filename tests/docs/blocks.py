"""The blocks of a page of documentation, and running them as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import voice

from wavelex.audio.samples import Audio

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>python|sh)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. Above it may stand `<!-- slow -->`, or `<!-- not run: WHY -->`."""

    page: Path
    line: int
    language: str
    code: str
    slow: bool
    run: bool


def blocks_of(page: Path) -> list[Block]:
    """The Python and shell blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        mark = match["mark"] or ""
        line = text.count("\n", 0, match.start("code")) + 1
        found.append(Block(page, line, match["language"], match["code"], mark == "slow", not mark.startswith("not run: ")))
    return found


def prepare(folder: Path) -> None:
    """What the pages say is there: a recording me.wav of one's own, folders of recordings, held-out ones."""
    Audio(voice(2.0)[None], 16_000).save(folder / "me.wav")
    for name, count in {"recordings": 2, "held-out": 1}.items():
        (folder / name).mkdir()
        for number in range(count):
            Audio(voice(1.5, seed=number)[None], 16_000).save(folder / name / f"{number}.wav")


class Page:
    """Runs blocks one after the other, the Python ones with the names that the ones before defined."""

    def __init__(self, folder: Path) -> None:
        prepare(folder)
        self.folder, self.played = folder, []
        # What a sound device would be.
        self.names: dict[str, object] = {"__name__": "__main__", "microphone": list(chunks()), "play": self.played.append}

    def run(self, block: Block) -> None:
        if block.language == "python":
            # The empty lines make a traceback tell the line of the page.
            exec(compile("\n" * (block.line - 1) + block.code, str(block.page), "exec"), self.names)
        else:
            run_shell(block.code, self.folder)


def chunks(size: int = 1000) -> Iterator[np.ndarray]:
    """Half a second at 16 kHz."""
    samples = voice(0.5)
    return (samples[begin : begin + size] for begin in range(0, len(samples), size))


def environment() -> dict[str, str]:
    """With the commands of this Python and the package of this checkout."""
    commands = Path(sys.executable).parent
    paths = {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **paths}


def run_shell(code: str, folder: Path) -> None:
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
