from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wavelex.tokens.entropy.packing import pack, packed_size, unpack


@given(
    streams=st.integers(1, 3),
    bits=st.lists(st.integers(1, 16), min_size=1, max_size=9),
    frames=st.integers(0, 40),
    seed=st.integers(0, 10_000),
)
def test_unpack_undoes_pack_in_the_promised_size(streams: int, bits: list[int], frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, 1 << width, (streams, frames)) for width in bits], axis=1)
    data = pack(codes, bits)
    assert len(data) == packed_size(frames, streams, bits)
    assert np.array_equal(unpack(data, streams, bits, frames), codes)


def test_bits_are_most_significant_first_frame_after_frame() -> None:
    codes = np.array([[[1, 2], [0, 3]]])
    assert pack(codes, [3, 2]) == bytes([0b001_00_010, 0b11_000000])
