"""What codes take in a file, without writing one."""

from __future__ import annotations

import numpy as np

from wavelex.tokens.entropy.blocks import BlockCoder
from wavelex.tokens.format.header import varint

_CHECKSUM_BYTES = 4


def coded_bits(codes: np.ndarray, coder: BlockCoder, block_frames: int) -> float:
    """Bits of the blocks that hold codes (streams, codebooks, frames), with their lengths and checksums."""
    size = 0
    for begin in range(0, codes.shape[2], block_frames):
        payload = coder.encode(codes[:, :, begin : begin + block_frames])
        size += len(varint(len(payload) << 1)) + len(payload) + _CHECKSUM_BYTES
    return 8.0 * size
