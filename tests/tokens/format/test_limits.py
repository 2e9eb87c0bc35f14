"""What a file may promise, and that what an encoder writes stays within it."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wlx_files import SIZES, certain_header, certain_priors, random_codes, reading, written

from wavelex.errors import WavelexError
from wavelex.tokens.format.container import Damage, Reader, Writer
from wavelex.tokens.format.header import Header
from wavelex.tokens.format.limits import ALWAYS_FRAMES, FRAMES_A_BYTE
from wavelex.tokens.format.scanning import Payload, block_bytes


def claiming(frames: int, block_frames: int = 200, **more: object) -> Header:
    return Header("tiny", "0011223344556677", 16000, 320, 16000, 1, SIZES, frames * 320, frames, block_frames, **more)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("block_frames", [1, 200, 60_000])
@pytest.mark.parametrize("frames", [2**32 - 1, 20_000_000])
def test_more_frames_than_a_file_of_its_size_has_are_refused_at_once(version: int, block_frames: int, frames: int) -> None:
    begun = time.process_time()
    data = claiming(frames, block_frames, version=version).to_bytes() + b"junk" * 100
    with pytest.raises(WavelexError, match=rf"hold {frames} frames of 1 stream, which is over the limit of \d+; .*max_frames"):
        reading(data)
    assert time.process_time() - begun < 0.2


def test_the_limit_can_be_raised_and_lowered() -> None:
    data = claiming(100_000).to_bytes()
    assert Reader(io.BytesIO(data), "x", max_frames=100_000).all_codes(salvage=True).shape == (1, 3, 100_000)
    with pytest.raises(WavelexError, match="over the limit of 99"):
        Reader(io.BytesIO(written(random_codes(100))), "x", max_frames=99)


def test_what_is_left_of_a_short_file_is_read() -> None:
    data = claiming(ALWAYS_FRAMES).to_bytes()
    assert (reading(data).all_codes(salvage=True) == -1).all()


def test_codes_that_need_more_memory_than_allowed_are_refused() -> None:
    codes = random_codes(1000)
    with pytest.raises(WavelexError, match=r"24000 bytes of memory, over the limit of 23999; raise it with max_memory"):
        reading(written(codes)).all_codes(max_memory=23_999)
    assert np.array_equal(reading(written(codes)).all_codes(max_memory=24_000), codes)


@given(streams=st.integers(1, 64), frames=st.integers(1, 1000), block_frames=st.integers(1, 1000))
@settings(max_examples=10)
def test_an_encoder_fills_up_blocks_that_would_be_smaller_than_a_reader_takes(streams: int, frames: int, block_frames: int) -> None:
    """Codes that a prior is certain of take no bytes at all, however many they are."""
    frames *= max(1, 16 // streams)
    buffer = io.BytesIO()
    writer = Writer(buffer, replace(certain_header(), streams=streams, block_frames=block_frames), priors=certain_priors())
    codes = np.zeros((streams, 2, frames), np.int64)
    writer.write(codes)
    writer.close(frames * 320)
    size = len(buffer.getvalue())
    assert frames * streams <= max(ALWAYS_FRAMES, FRAMES_A_BYTE * size)
    assert np.array_equal(reading(buffer.getvalue(), certain_priors()).all_codes(), codes)


def crafted(kind: str) -> tuple[Header, bytes]:
    """600 KB in which every byte could begin a large block, or every other block is damaged."""
    if kind == "large blocks":
        return claiming(4_000_000, 40_000, version=2), bytes([0x80, 0xF1, 0x04]) * 200_000
    blocks = (block_bytes(number, Payload(bytes(15), True)) + b"\xff" for number in range(20_000))
    return claiming(20_000, 1, version=2), b"".join(blocks)


@pytest.mark.parametrize("kind", ["large blocks", "damage after every block"])
def test_looking_for_intact_blocks_takes_time_in_proportion_to_the_file(kind: str) -> None:
    header, rest = crafted(kind)
    begun = time.process_time()
    for _ in reading(header.to_bytes() + rest).check():
        pass
    assert time.process_time() - begun < 2


def test_blocks_after_long_damage_are_found() -> None:
    codes = random_codes(40_000)
    data, head = written(codes), len(written(random_codes(0))) - 4
    size = (len(data) - 4 - head) // 200
    junk = np.random.default_rng(0).bytes(300_000)
    reader = reading(data[: head + 50 * size + 100] + junk + data[head + 100 * size :])
    found = [block for _, block in reader.blocks()]
    assert [i for i, block in enumerate(found) if isinstance(block, Damage)] == list(range(50, 100))
    assert np.array_equal(found[100], codes[:, :, 20_000:20_200])
