"""Range coding: exact, to the byte, and by no arithmetic that rounds."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.tokens.entropy.range_coder import TOTAL, RangeDecoder, RangeEncoder

FIXED = [3, 8, 8, 5, 1, 2, 5, 0, 8, 0, 1, 0, 6, 11, 10, 6, 10, 7, 5, 6, 10, 9, 3, 0]
"""The first symbols in some bytes, as they were decoded when the format was made."""


def random_frequencies(rng: np.random.Generator, count: int, size: int) -> np.ndarray:
    weights = rng.random((count, size)) ** 8 + 1e-9
    whole = np.floor(weights / weights.sum(1, keepdims=True) * TOTAL).astype(np.int64)
    whole[np.arange(count), whole.argmax(1)] += TOTAL - whole.sum(1)
    return whole


@given(seed=st.integers(0, 10**6), count=st.integers(0, 60), size=st.integers(0, 70), pieces=st.integers(1, 4), likely=st.booleans())
@settings(max_examples=150)
def test_what_goes_in_comes_out_within_a_byte_of_its_information(seed: int, count: int, size: int, pieces: int, likely: bool) -> None:
    rng = np.random.default_rng(seed)
    size += 1
    table = random_frequencies(rng, count, size)
    symbols = np.array([rng.choice(size, p=row / TOTAL) for row in table], np.int64) if likely else rng.integers(0, size, count)
    encoder = RangeEncoder()
    for rows in np.array_split(np.arange(count), pieces):
        encoder.encode(symbols[rows], table[rows])
    data = encoder.finish()
    assert np.array_equal(RangeDecoder(data).decode(table), symbols)
    # constriction gives every alternative one part in 2^24 more than it was given.
    share = (table * (1 - size / 2**24) / TOTAL + 2.0**-24)[np.arange(count), symbols]
    assert 8 * len(data) <= -np.log2(share).sum() + 8.01


@given(data=st.binary(max_size=40))
def test_any_bytes_decode_to_something_or_are_refused(data: bytes) -> None:
    table = random_frequencies(np.random.default_rng(0), 50, 9)
    try:
        assert len(RangeDecoder(data).decode(table)) == 50
    except ValueError as error:
        assert "no encoder" in str(error)


def test_everything_computed_from_the_frequencies_is_a_whole_number() -> None:
    """What constriction multiplies: sums of the given shares with the 2^24 that it keeps of a word, less one a symbol."""
    for size in (2, 1024):
        free = 2**24 - size
        for numerator in (1, 12345, TOTAL - 1, TOTAL):
            share = numerator * (1.0 / TOTAL)
            assert share * TOTAL == numerator
            assert math.frexp(share * free)[1] <= 53 and (share * free) * TOTAL == numerator * free


def test_bytes_written_once_still_decode() -> None:
    table = random_frequencies(np.random.default_rng(1), 40, 12)
    data = bytes.fromhex("7b1d9f3c50a2e46688ab")
    assert RangeDecoder(data).decode(table)[:24].tolist() == FIXED
