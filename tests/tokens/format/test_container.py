"""The .wlx file: exact round trips, and damage that stays where it is and is told."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wlx_files import BLOCK_FRAMES, SAMPLES_A_FRAME, SIZES, certain_header, certain_priors, random_codes, reading, written

from wavelex.errors import WavelexError
from wavelex.tokens.entropy.packing import pack
from wavelex.tokens.format.container import Damage, Writer
from wavelex.tokens.format.header import Header
from wavelex.tokens.format.scanning import Payload, block_bytes


def written_by_version_1(codes: np.ndarray) -> bytes:
    """What the first version of the program wrote, by docs/format.md."""
    streams, books, frames = codes.shape
    body = bytes.fromhex("0011223344556677")
    body += struct.pack("<IIIBBHQQ", 16000, 320, 44100, streams, books, 100, frames * SAMPLES_A_FRAME, frames)
    body += struct.pack("<III", *SIZES) + bytes([4]) + b"tiny"
    head = b"WLX\x1a" + struct.pack("<BH", 1, len(body)) + body
    data = head + struct.pack("<I", zlib.crc32(head))
    for number, start in enumerate(range(0, frames, 100)):
        payload = pack(codes[:, :, start : start + 100], (10, 10, 9))
        data += payload + struct.pack("<I", zlib.crc32(struct.pack("<Q", number) + payload))
    return data


@given(frames=st.integers(0, 350), streams=st.integers(1, 2), pieces=st.integers(1, 7), short_by=st.integers(0, SAMPLES_A_FRAME - 1))
def test_round_trip(frames: int, streams: int, pieces: int, short_by: int) -> None:
    codes = random_codes(frames, streams)
    reader = reading(written(codes, pieces, short_by))
    length = max(0, frames * SAMPLES_A_FRAME - short_by)
    assert reader.header == Header("tiny", "0011223344556677", 16000, 320, 44100, streams, SIZES, length, frames)
    empty = np.zeros((streams, 3, 0), np.int64)
    assert np.array_equal(np.concatenate([empty, *reader.codes()], axis=2), codes)


def test_the_file_does_not_depend_on_how_it_was_written() -> None:
    codes = random_codes(321)
    assert written(codes, pieces=1) == written(codes, pieces=9)


@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
@example(position=3349, flip=1).via("the checksum of the codes")
@example(position=56, flip=1).via("the mark of the first block")
@settings(max_examples=60)
def test_any_changed_byte_is_noticed_and_costs_one_block_at_most(position: int, flip: int) -> None:
    codes = random_codes(900)
    data = bytearray(written(codes))
    position %= len(data)
    data[position] ^= flip
    try:
        reader = reading(bytes(data))
        blocks = list(reader.blocks())
    except WavelexError:
        assert position < len(written(random_codes(0)))
        return
    damaged = [i for i, (_, block) in enumerate(blocks) if isinstance(block, Damage)]
    if position >= len(data) - 4:
        assert not damaged and "last 4 bytes are damaged" in (reader.ending() or "")
        return
    assert len(damaged) == 1
    for i, (_, block) in enumerate(blocks):
        if i not in damaged:
            assert np.array_equal(block, codes[:, :, BLOCK_FRAMES * i : BLOCK_FRAMES * (i + 1)])


@given(position=st.integers(0, 10**6), change=st.integers(-40, 40), seed=st.integers(0, 1000))
@settings(max_examples=60)
def test_bytes_put_in_or_taken_out_cost_two_blocks_at_most(position: int, change: int, seed: int) -> None:
    codes = random_codes(1500)
    data = written(codes)
    start = len(written(random_codes(0)))
    position = start + position % (len(data) - start)
    extra = np.random.default_rng(seed).bytes(max(0, change))
    data = data[:position] + extra + data[position + max(0, -change) :]
    blocks = [block for _, block in reading(data).blocks()]
    assert len(blocks) == 8
    assert sum(isinstance(block, Damage) for block in blocks) <= 2
    for i, block in enumerate(blocks):
        if not isinstance(block, Damage):
            assert np.array_equal(block, codes[:, :, BLOCK_FRAMES * i : BLOCK_FRAMES * (i + 1)])


def pieces(count: int) -> tuple[bytes, list[bytes]]:
    """A header and its blocks one by one, without the checksum at the end."""
    data, start = written(random_codes(count * BLOCK_FRAMES))[:-4], len(written(random_codes(0))) - 4
    size = (len(data) - start) // count
    return data[:start], [data[start + i * size : start + (i + 1) * size] for i in range(count)]


def test_a_block_taken_out_costs_that_block() -> None:
    head, blocks = pieces(8)
    found = [block for _, block in reading(head + b"".join(blocks[:3] + blocks[4:])).blocks()]
    assert [i for i, block in enumerate(found) if isinstance(block, Damage)] == [3]


def test_a_block_put_in_twice_is_noticed_and_costs_nothing() -> None:
    head, blocks = pieces(8)
    data = head + b"".join([*blocks[:3], blocks[2], *blocks[3:]])
    assert not any(isinstance(block, Damage) for _, block in reading(data).blocks())
    with pytest.raises(WavelexError, match="between its blocks"):
        list(reading(data + b"\0\0\0\0").codes())


def test_long_damage_costs_what_it_hits() -> None:
    head, blocks = pieces(50)
    data = bytearray(head + b"".join(blocks))
    size = len(blocks[0])
    data[len(head) + 5 * size : len(head) + 30 * size] = bytes(25 * size)
    found = [block for _, block in reading(bytes(data)).blocks()]
    assert [i for i, block in enumerate(found) if isinstance(block, Damage)] == list(range(5, 30))


def test_headers_that_promise_what_no_file_holds_are_refused_at_once() -> None:
    header = Header("tiny", "0011223344556677", 16000, 320, 16000, 1, SIZES, 2**31 * 320, 2**31, 1)
    for rest in (b"", b"junk" * 100):
        for salvage in (True, False):
            with pytest.raises(WavelexError, match=r"over the limit of .*max_frames"):
                list(reading(header.to_bytes() + rest).codes(salvage))
    for streams, frames in ((255, 1 << 16), (1, 1 << 17)):
        large = Header("tiny", "0011223344556677", 16000, 320, 16000, streams, SIZES, 0, 0, frames)
        with pytest.raises(WavelexError, match="blocks of"):
            reading(large.to_bytes())
        with pytest.raises(WavelexError, match="cannot have"):
            Writer(io.BytesIO(), large)


@given(frames=st.integers(0, 350), streams=st.integers(1, 2))
@settings(max_examples=30)
def test_files_of_version_1_still_read(frames: int, streams: int) -> None:
    codes = random_codes(frames, streams)
    reader = reading(written_by_version_1(codes))
    assert (reader.header.version, reader.header.frames, reader.header.streams) == (1, frames, streams)
    empty = np.zeros((streams, 3, 0), np.int64)
    assert np.array_equal(np.concatenate([empty, *reader.codes()], axis=2), codes)


def test_a_damaged_block_of_version_1_costs_that_block() -> None:
    codes = random_codes(450)
    data = bytearray(written_by_version_1(codes))
    data[-700] ^= 1
    blocks = [block for _, block in reading(bytes(data)).blocks()]
    damaged = [i for i, block in enumerate(blocks) if isinstance(block, Damage)]
    assert damaged == [2]
    assert np.array_equal(blocks[4], codes[:, :, 400:])


@given(keep=st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_truncated_file_gives_what_it_holds(keep: int) -> None:
    codes = random_codes(900)
    data = written(codes)
    # Anywhere before the checksum at the end, of which another test tells.
    data = data[: keep % (len(data) - 4)]
    try:
        reader = reading(data)
    except WavelexError as error:
        assert "header" in str(error) or "mark" in str(error)
        return
    with pytest.raises(
        WavelexError, match=r"x\.wlx: block \d of 5 \(.* s\) is missing: the file ends before it; decode the rest with --salvage"
    ):
        list(reading(data).codes())
    salvaged = np.concatenate(list(reader.codes(salvage=True)), axis=2)
    assert salvaged.shape == codes.shape
    intact = (salvaged >= 0).all(axis=(0, 1))
    assert np.array_equal(salvaged[:, :, intact], codes[:, :, intact])
    whole_blocks = max(0, len(data) - (len(written(random_codes(0))) - 4)) // (-(-BLOCK_FRAMES * 29 // 8) + 6)
    assert intact.sum() == BLOCK_FRAMES * min(4, whole_blocks)


def test_swapped_blocks_are_noticed() -> None:
    data = written(random_codes(2 * BLOCK_FRAMES))
    start = len(written(random_codes(0)))
    size = (len(data) - start) // 2
    swapped = data[:start] + data[start + size :] + data[start : start + size]
    assert any(isinstance(block, Damage) for _, block in reading(swapped).blocks())


def test_bytes_after_the_end_are_noticed() -> None:
    with pytest.raises(WavelexError, match="after its last block"):
        list(reading(written(random_codes(10)) + b"x").codes())
    assert len(list(reading(written(random_codes(10)) + b"x").codes(salvage=True))) == 1


def test_other_files_and_newer_versions_are_told_apart() -> None:
    data = written(random_codes(10))
    with pytest.raises(WavelexError, match=r"not a \.wlx file"):
        reading(b"RIFF" + data[4:])
    newer = data[:4] + b"\x09" + data[5:]
    with pytest.raises(WavelexError, match="version 9, this program reads versions 1 to 3; update wavelex"):
        reading(newer)


def test_the_layout_is_the_documented_one() -> None:
    """The same block built by hand from docs/format.md."""
    codes = np.array([[[5, 6], [1023, 0], [7, 499]]])
    bits = "".join(f"{v:0{w}b}" for frame in codes[0].T for v, w in zip(frame, (10, 10, 9), strict=True))
    payload = int(bits.ljust(64, "0"), 2).to_bytes(8, "big")
    block = bytes([16]) + payload + struct.pack("<I", zlib.crc32(payload) ^ zlib.crc32(bytes(8)))
    end = struct.pack("<I", zlib.crc32(struct.pack("<6i", 5, 1023, 7, 6, 0, 499)))
    header = Header("tiny", "0011223344556677", 16000, 320, 44100, 1, SIZES, 2 * SAMPLES_A_FRAME, 2)
    assert written(codes) == header.to_bytes() + block + end
    assert written(codes, version=2) == replace(header, version=2).to_bytes() + block


WHOLE = (64, 64, 1000)


def written_with_globals(codes: np.ndarray, values: np.ndarray, block_frames: int = 50) -> bytes:
    buffer = io.BytesIO()
    header = Header("tiny", "0011223344556677", 16000, 320, 16000, len(codes), SIZES, block_frames=block_frames, global_sizes=WHOLE)
    writer = Writer(buffer, header, globals_=values)
    writer.write(codes)
    writer.close(codes.shape[2] * 320)
    return buffer.getvalue()


@given(frames=st.integers(1, 130), streams=st.integers(1, 3), seed=st.integers(0, 100))
@settings(max_examples=30)
def test_codes_of_the_whole_recording_come_back(frames: int, streams: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, WHOLE, (streams, 3))
    codes = random_codes(frames, streams, seed)
    data = written_with_globals(codes, values)
    reader = reading(data)
    assert np.array_equal(reader.globals, values)
    assert np.array_equal(reader.all_codes(), codes)
    assert np.array_equal(reader.globals, values)


def test_a_damaged_block_does_not_lose_the_codes_of_the_whole_recording() -> None:
    values, codes = np.array([[1, 2, 999]]), random_codes(150)
    data = bytearray(written_with_globals(codes, values))
    start = len(written_with_globals(codes[:, :, :0], values)) - 4
    data[start + 10] ^= 1
    reader = reading(bytes(data))
    assert np.array_equal(reader.globals, values)
    assert [isinstance(block, Damage) for _, block in reader.blocks()] == [True, False, False]
    nothing = reading(written_with_globals(codes[:, :, :0], values))
    assert nothing.globals.tolist() == [[-1, -1, -1]] and nothing.all_codes().shape == (1, 3, 0)


def test_blocks_must_agree_on_the_codes_of_the_whole_recording() -> None:
    codes = random_codes(100)
    one, other = (written_with_globals(codes, np.array([[1, 2, value]])) for value in (3, 4))
    half = (len(one) + len(written_with_globals(codes[:, :, :0], np.array([[1, 2, 3]])))) // 2 - 4
    with pytest.raises(WavelexError, match=r"block 2 of 2 .* is of another recording"):
        reading(one[:half] + other[half:]).all_codes()


@pytest.mark.parametrize("values", [np.array([[1, 2]]), np.array([[64, 0, 0]]), np.array([[-1, 0, 0]])])
def test_codes_of_the_whole_recording_that_cannot_be_are_refused(values: np.ndarray) -> None:
    with pytest.raises(WavelexError, match="codes of the whole recording"):
        written_with_globals(random_codes(3), values)


def test_improbable_codes_in_frames_of_varying_size_are_read_back() -> None:
    """Each costs 24 bits, twelve times its packed size."""
    codes = np.full((1, 2, 400), 3)
    codes[:, 1, ::2] = -1
    buffer = io.BytesIO()
    writer = Writer(buffer, replace(certain_header(), variable=True), priors=certain_priors())
    writer.write(codes)
    writer.close(400 * 320)
    assert np.array_equal(reading(buffer.getvalue(), certain_priors()).all_codes(), codes)


@pytest.mark.parametrize("length", [0, 64_001, 10**9])
def test_a_length_that_does_not_fit_the_frames_is_refused_when_it_is_written(length: int) -> None:
    writer = Writer(io.BytesIO(), Header("tiny", "0011223344556677", 16000, 320, 16000, 1, SIZES))
    writer.write(random_codes(100))
    with pytest.raises(WavelexError, match=rf"cannot have {length} samples at 16000 Hz in 100 frames, which hold 32000"):
        writer.close(length)


def test_codes_other_than_those_written_are_noticed() -> None:
    """As another prior than the encoder's would decode them: all blocks are intact."""
    codes = random_codes(300)
    data, other = written(codes), codes.copy()
    other[0, 1, 250] ^= 1
    for changed in (written(other)[:-4] + data[-4:], data[:-1] + bytes([data[-1] ^ 1])):
        with pytest.raises(WavelexError, match="decodes to other codes than were written"):
            reading(changed).all_codes()
        reader = reading(changed)
        assert list(reader.check()) == [] and "other codes" in str(reader.ending())
        assert np.array_equal(reading(changed).all_codes(salvage=True)[:, :, :250], codes[:, :, :250])
    for cut in (1, 4):
        with pytest.raises(WavelexError, match="ends before the checksum of its codes"):
            reading(data[:-cut]).all_codes()


@given(frames=st.integers(0, 450), block=st.integers(1, 200), streams=st.integers(1, 2))
@settings(max_examples=20)
def test_the_checksum_of_the_codes_does_not_depend_on_blocks(frames: int, block: int, streams: int) -> None:
    codes, buffer = random_codes(frames, streams), io.BytesIO()
    writer = Writer(buffer, Header("tiny", "0011223344556677", 16000, 320, 44100, streams, SIZES, block_frames=block))
    writer.write(codes)
    writer.close(frames * SAMPLES_A_FRAME)
    assert buffer.getvalue()[-4:] == written(codes)[-4:]


def test_checking_decodes() -> None:
    """A block with the right checksum that no encoder has written."""
    good = replace(certain_header(), length=400 * 320, frames=400, version=2)
    payload = Payload(b"\xff" * 60, False)
    data = good.to_bytes() + block_bytes(0, payload) + block_bytes(1, payload)
    reader = reading(data, certain_priors())
    assert reader.decodable
    assert [damage.reason for damage in reader.check()] == ["not decodable (no encoder gives such bytes)"] * 2
    unknown = reading(replace(good, prior="ffffffff").to_bytes() + data[len(good.to_bytes()) :])
    assert not unknown.decodable and list(unknown.check()) == [] and unknown.ending() is None


def test_codes_beyond_their_codebook_are_damage() -> None:
    header = Header("tiny", "0011223344556677", 16000, 320, 16000, 1, SIZES, 320, 1, version=2)
    data = header.to_bytes() + block_bytes(0, Payload(b"\xff" * 4, False))
    assert [damage.reason for damage in reading(data).check()] == ["not decodable (codes beyond the last of their codebook)"]
