"""CRC-32 of many stretches of the same bytes at once, which zlib would go through one by one.

CRC-32 is linear, so the checksum of a stretch follows from those of what ends at its beginning and at its end (as in zlib's
`crc32_combine`; the arithmetic is that of Peterson & Brown 1961).
"""

from __future__ import annotations

import zlib
from itertools import accumulate

import numpy as np

_ALL = np.uint32(0xFFFFFFFF)
_STEP = np.array([zlib.crc32(bytes([byte ^ 0xFF])) ^ 0xFF000000 for byte in range(256)], np.uint32)
"""What one zero byte makes of a register that holds a single byte."""
_BACK = np.argsort(_STEP >> 24)
"""The byte of `_STEP` whose entry begins with a given byte; no two begin with the same."""
_NUMBER_BYTES = 8


def prefix_checksums(data: bytes) -> np.ndarray:
    """Those of the first 0, 1, ... len(data) bytes: (len(data) + 1,) uint32."""
    step = _STEP.tolist()
    registers = accumulate(data, lambda register, byte: step[(register ^ byte) & 0xFF] ^ (register >> 8), initial=0xFFFFFFFF)
    found: np.ndarray = np.fromiter(registers, np.uint32, len(data) + 1) ^ _ALL
    return found


def stretch_checksums(prefixes: np.ndarray, begins: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Of the stretches of `sizes` (n,) from `begins` (n,) on, given the `prefix_checksums` of all: (n,) uint32."""
    before = prefixes[begins]
    # Zero bytes move `before` on; a table for each power of two of them is the table for half as many, used twice.
    tables = [(values := np.arange(256, dtype=np.uint32) << (8 * place)) >> 8 ^ _STEP[values & 0xFF] for place in range(4)]
    for bit in range(int(sizes.max(initial=0)).bit_length()):
        chosen = np.flatnonzero(sizes >> bit & 1)
        before[chosen] = _look_up(tables, before[chosen])
        tables = [_look_up(tables, table) for table in tables]
    found: np.ndarray = prefixes[begins + sizes] ^ before
    return found


def numbers_of(marks: np.ndarray) -> np.ndarray:
    """The whole numbers below 2^32 that, as 8 bytes, have the checksums `marks` (n,) uint32; there is one for each."""
    register = marks ^ _ALL
    for _ in range(_NUMBER_BYTES):
        byte = _BACK[register >> 24].astype(np.uint32)
        register = (register ^ _STEP[byte]) << np.uint32(8) | byte
    found: np.ndarray = (register ^ _ALL).astype(np.int64)
    return found


def _look_up(tables: list[np.ndarray], values: np.ndarray) -> np.ndarray:
    found: np.ndarray = tables[0][values & 0xFF] ^ tables[1][values >> 8 & 0xFF] ^ tables[2][values >> 16 & 0xFF] ^ tables[3][values >> 24]
    return found
