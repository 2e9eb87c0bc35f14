"""Decodes the golden files and writes them again; also run by itself, in processes with other processor features."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path

from wavelex.tokens.format.container import Writer
from wavelex.tokens.format.header import Header, read_header
from wavelex.tokens.tokens import AudioTokens

FOLDER = Path(__file__).parent
KNOWN = json.loads((FOLDER / "codes.json").read_text())


def digest(tokens: AudioTokens) -> str:
    return hashlib.sha256(tokens.codes.astype("<i4").tobytes()).hexdigest()


def rewritten(tokens: AudioTokens, header: Header) -> bytes:
    """The tokens in a file with another header."""
    target = io.BytesIO()
    writer = Writer(target, header)
    writer.write(tokens.codes)
    writer.close(header.length)
    return target.getvalue()


def wrong(names: list[str]) -> list[str]:
    """Those that do not decode to the codes they were made of, or are not written as they were."""
    found = []
    for name in names:
        data = (FOLDER / f"{name}.wlx").read_bytes()
        tokens = AudioTokens.from_bytes(data)
        if digest(tokens) != KNOWN[name]["codes"] or rewritten(tokens, read_header(io.BytesIO(data), name)) != data:
            found.append(name)
    return found


if __name__ == "__main__":
    print(json.dumps(wrong(sys.argv[1:])))
