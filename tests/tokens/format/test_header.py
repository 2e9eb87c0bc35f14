"""Headers of both versions: exact round trips, sizes, and everything that cannot be meant is refused."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavelex.errors import WavelexError
from wavelex.tokens.format.header import Header, check_header, read_header, read_varint, varint

GOOD = Header("tiny", "00112233aabbccdd", 16000, 320, 44100, 1, (1024,) * 8, 8820, 10)


def with_checksum(head: bytes) -> bytes:
    return head + struct.pack("<I", zlib.crc32(head))


@given(
    streams=st.integers(1, 64),
    sizes=st.lists(st.sampled_from([2, 500, 1024, 1 << 24]), min_size=1, max_size=40),
    rate=st.integers(1000, 768_000),
    block=st.integers(1, 400),
    frames=st.integers(0, 10**6),
    coding=st.sampled_from(["packed", "context", "neural"]),
    name=st.text(max_size=20).filter(str.isprintable),
    whole=st.sampled_from([None, (), (64,) * 8, (1024, 1024, 2)]),
)
def test_round_trip(
    streams: int, sizes: list[int], rate: int, block: int, frames: int, coding: str, name: str, whole: tuple[int, ...] | None
) -> None:
    length = frames * 320 * rate // 16000
    more = {"version": 2} if whole is None else {"version": 3, "global_sizes": whole}
    varies = coding != "packed"
    header = Header(
        name,
        "00112233aabbccdd",
        16000,
        320,
        rate,
        streams,
        tuple(sizes),
        length,
        frames,
        block,
        coding,
        "0a0b0c0d",
        varies,
        **more,
    )
    assert read_header(io.BytesIO(header.to_bytes() + b"rest"), "x") == header


@given(number=st.integers(0, 2**35 - 1))
def test_numbers_of_any_size(number: int) -> None:
    source = io.BytesIO(varint(number) + b"\xff")
    assert read_varint(source.read) == (number, varint(number))


def test_numbers_that_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match="too many bytes"):
        read_varint(io.BytesIO(b"\xff" * 9).read)
    with pytest.raises(EOFError):
        read_varint(io.BytesIO(b"\xff").read)


def test_a_header_of_version_1_is_read_as_documented() -> None:
    body = bytes.fromhex("00112233aabbccdd") + struct.pack("<IIIBBHQQ", 16000, 320, 44100, 1, 3, 100, 1764, 2)
    body += struct.pack("<III", 1024, 1024, 500) + bytes([4]) + b"tiny"
    head = with_checksum(b"WLX\x1a" + struct.pack("<BH", 1, len(body)) + body)
    assert read_header(io.BytesIO(head), "x") == Header(
        "tiny", "00112233aabbccdd", 16000, 320, 44100, 1, (1024, 1024, 500), 1764, 2, 100, version=1
    )


def test_the_layouts_of_versions_2_and_3_are_the_documented_ones() -> None:
    """The same bytes built by hand from docs/format.md."""
    body = bytes.fromhex("00112233aabbccdd00000000") + struct.pack("<BIQ", 0, 10, 8820)
    body += bytes([0x80, 0x7D, 0xC0, 0x02, 0xC4, 0xD8, 0x02, 1, 0xC8, 0x01, 1, 0x80, 0x08, 8]) + b"tiny"
    assert replace(GOOD, version=2).to_bytes() == with_checksum(b"WLX\x1a\x02" + bytes([len(body)]) + body)
    assert GOOD.to_bytes() == with_checksum(b"WLX\x1a\x03" + bytes([len(body)]) + body)
    assert len(Header("speech-16k", "00112233aabbccdd", 16000, 320, 16000, 1, (1024,) * 8).to_bytes()) < 60


@given(cut=st.integers(0, 200))
def test_a_cut_header_is_told(cut: int) -> None:
    data = GOOD.to_bytes()
    with pytest.raises(WavelexError, match=r"header|mark"):
        read_header(io.BytesIO(data[: cut % len(data)]), "x")


@given(position=st.integers(0, 200), flip=st.integers(1, 255))
def test_a_changed_header_is_told(position: int, flip: int) -> None:
    data = bytearray(GOOD.to_bytes())
    data[position % len(data)] ^= flip
    with pytest.raises(WavelexError, match=r"header|mark|version"):
        read_header(io.BytesIO(bytes(data)), "x")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sample_rate": 0}, "sample_rate 0"),
        ({"hop_length": 0}, "hop_length 0"),
        ({"streams": 0}, "streams 0"),
        ({"codebook_sizes": ()}, "no codebooks"),
        ({"codebook_sizes": (1,)}, "of 1 codes|codebooks of"),
        ({"frames": 500}, "500 frames"),
        ({"variable": True}, "varying"),
        ({"block_frames": 1 << 20}, "blocks of"),
        ({"model": "a\x1b[2J"}, "printed"),
        ({"model": "a" * 256}, "name of over 255 bytes"),
        ({"source_rate": 999}, "source_rate 999"),
        ({"source_rate": 768_001}, "source_rate 768001"),
        ({"global_sizes": (1,)}, "of 1 codes"),
        ({"codebook_sizes": (2,) * 33, "block_frames": 1 << 15}, "blocks of 32768 frames of 33 codebooks"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, object], words: str) -> None:
    values = {name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__} | changes
    with pytest.raises(WavelexError, match=words):
        read_header(io.BytesIO(Header(**values).to_bytes()), "x")


def test_version_2_has_no_codes_of_the_whole_recording() -> None:
    header = replace(GOOD, version=2, global_sizes=(64,))
    with pytest.raises(WavelexError, match="whole recording in version 2"):
        check_header(header, "x")
    with pytest.raises(WavelexError, match="not that of version 2"):
        read_header(io.BytesIO(header.to_bytes()), "x")
    with pytest.raises(WavelexError, match="version 1 is not written"):
        check_header(replace(GOOD, version=1), "x")


def test_unknown_codings_are_refused() -> None:
    data = bytearray(GOOD.to_bytes()[:-4])
    data[4 + 1 + 1 + 12] = 0x33
    with pytest.raises(WavelexError, match="not that of version 3"):
        read_header(io.BytesIO(with_checksum(bytes(data))), "x")
