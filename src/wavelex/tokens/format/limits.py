"""How much a `.wlx` file may promise before it is read: a header of a few bytes can claim years of silence."""

from __future__ import annotations

from wavelex.errors import WavelexError
from wavelex.tokens.format.header import Header

FRAMES_A_BYTE = 64
"""Frames (of all streams) that a byte of a file stands for at most.

Entropy coding has no such bound of its own: a prior that is certain spends next to nothing, and bytes that are zero at the end of
a block are not written. So the encoder sees to it: a block of 200 frames of one stream takes 5 bytes without its payload, which is
40 frames a byte, and payloads of larger blocks are filled with zero bytes up to this bound, which changes nothing about what they
decode to. Silence coded with the shipped prior stays far below it.
"""
ALWAYS_FRAMES = 4096
"""Frames (of all streams) that are read whatever the file's size, so that the rest of a short file that was cut is not refused."""
MOST_MEMORY = 1 << 28
"""Bytes for the codes of a whole file: 23 hours of 8 codebooks at 50 frames a second. Reading block by block has no such limit."""


def least_payload(header: Header, frames: int, overhead: int) -> int:
    """Bytes that the payload of a block of so many frames takes at least, besides its `overhead`."""
    return max(0, -(-frames * header.streams // FRAMES_A_BYTE) - overhead)


def check_frames(header: Header, size: int, name: str, max_frames: int | None = None) -> None:
    """Raises WavelexError for more frames than a file of `size` bytes can have, or than `max_frames` if that is given."""
    allowed = max(ALWAYS_FRAMES, FRAMES_A_BYTE * size) // header.streams if max_frames is None else max_frames
    if header.frames > allowed:
        raise WavelexError(
            f"{name}: says that its {size} bytes hold {header.frames} frames of {header.streams} stream{'s'[: header.streams > 1]}, "
            f"which is over the limit of {allowed}; if they are meant, raise it with max_frames (--max-frames); else copy the file again"
        )


def check_memory(header: Header, name: str, max_memory: int = MOST_MEMORY) -> None:
    """Raises WavelexError where the codes of the whole file need more bytes than `max_memory`."""
    need = 8 * header.frames * header.streams * len(header.codebook_sizes)
    if need > max_memory:
        raise WavelexError(
            f"{name}: its codes need {need} bytes of memory, over the limit of {max_memory}; "
            "raise it with max_memory, or decode the file block by block (wavelex decode)"
        )
