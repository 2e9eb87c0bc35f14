from __future__ import annotations

import struct
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wavelex.tokens.format.crc import numbers_of, prefix_checksums, stretch_checksums


@given(data=st.binary(max_size=300))
def test_prefixes_have_the_checksums_that_zlib_gives(data: bytes) -> None:
    assert prefix_checksums(data).tolist() == [zlib.crc32(data[:end]) for end in range(len(data) + 1)]


@given(data=st.binary(max_size=300), ends=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=20))
def test_stretches_have_the_checksums_that_zlib_gives(data: bytes, ends: list[tuple[int, int]]) -> None:
    begins, stops = (np.array([edge(min(a, len(data)), min(b, len(data))) for a, b in ends], np.int64) for edge in (min, max))
    found = stretch_checksums(prefix_checksums(data), begins, stops - begins)
    assert found.tolist() == [zlib.crc32(data[begin:stop]) for begin, stop in zip(begins, stops, strict=True)]


@given(numbers=st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_a_number_is_known_by_its_checksum(numbers: list[int]) -> None:
    marks = np.array([zlib.crc32(struct.pack("<Q", number)) for number in numbers], np.uint32)
    assert numbers_of(marks).tolist() == numbers
