from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import make_codec, voice, with_prior
from hypothesis import given
from hypothesis import strategies as st

from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.tokens.tokens import LOST, AudioTokens, check_codes


def tokens_of(codes: np.ndarray) -> AudioTokens:
    return AudioTokens(codes, "tiny", "00112233aabbccdd", 16000, 320, (1024,) * codes.shape[1], 16000, codes.shape[2] * 320)


def test_rates_are_those_of_the_codes() -> None:
    tokens = tokens_of(np.zeros((1, 8, 50), np.int64))
    assert (tokens.seconds, tokens.frame_rate, tokens.tokens_per_second, tokens.bitrate) == (1.0, 50.0, 400.0, 4000.0)
    assert tokens_of(np.zeros((2, 1, 50), np.int64)).bitrate == 1000.0


def test_save_and_load(tiny: Codec, tmp_path: Path) -> None:
    tokens = tiny.encode(voice(3.3), codebooks=3)
    tokens.save(tmp_path / "a.wlx")
    loaded = AudioTokens.load(tmp_path / "a.wlx")
    assert np.array_equal(loaded.codes, tokens.codes)
    assert loaded.header() == tokens.header()
    assert np.array_equal(tiny.decode(loaded).samples, tiny.decode(tokens).samples)


def test_a_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wlx"
    path.write_bytes(b"before")
    with pytest.raises(WavelexError, match="lost frames"):
        tokens_of(np.full((1, 2, 5), -1)).save(path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@given(frames=st.integers(0, 20), codebooks=st.integers(1, 8), first=st.integers(0, 50_000), seed=st.integers(0, 100))
def test_language_model_ids_round_trip_and_never_collide(frames: int, codebooks: int, first: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 1024, (2, codebooks, frames))
    tokens = tokens_of(codes)
    ids = tokens.to_ids(first)
    assert ids.shape == (2, frames * codebooks)
    assert np.array_equal((ids - first) // 1024, np.tile(np.arange(codebooks), (2, frames)))
    assert np.array_equal(tokens.with_ids(ids, first).codes, codes)


def test_ids_of_the_wrong_codebook_are_refused() -> None:
    tokens = tokens_of(np.zeros((1, 2, 3), np.int64))
    ids = tokens.to_ids()
    with pytest.raises(WavelexError, match="of an earlier codebook"):
        tokens.with_ids(ids[:, ::-1])
    for wrong, words in ((1023, "of an earlier codebook"), (2048, "must be 0 to 1023")):
        changed = ids.copy()
        changed[0, 1] = wrong
        with pytest.raises(WavelexError, match=words):
            tokens.with_ids(changed)
    with pytest.raises(WavelexError, match="lost frames and frames with fewer codebooks have no ids"):
        tokens_of(np.full((1, 2, 3), -1)).to_ids()
    with pytest.raises(WavelexError, match="shape"):
        tokens.with_ids(np.zeros((1, 5), np.int64))


def test_prefix_and_its_limits() -> None:
    tokens = tokens_of(np.arange(24).reshape(1, 8, 3))
    assert tokens.prefix(2).codes.tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert tokens.prefix(2).bitrate == 1000.0
    with pytest.raises(WavelexError, match="9 codebooks"):
        tokens.prefix(9)


@pytest.mark.parametrize("value", [-2, 1024, 10**9])
def test_codes_out_of_range_are_named(value: int) -> None:
    codes = np.zeros((1, 3, 4), np.int64)
    codes[0, 1, 2] = value
    with pytest.raises(WavelexError, match="t: codebook 1 has codes from"):
        check_codes(codes, (1024,) * 3, "t")


def test_codes_that_no_codebook_has_are_not_written(tmp_path: Path) -> None:
    for codes, words in ((np.full((1, 2, 3), 5000), "must be 0 to 1023"), (np.array([[[1], [-1], [4]]]), "without a gap")):
        with pytest.raises(WavelexError, match=words):
            tokens_of(codes).save(tmp_path / "a.wlx")
    assert not list(tmp_path.iterdir())


def test_frames_of_varying_size_are_not_packed() -> None:
    tokens = tokens_of(np.array([[[1, 2], [3, -1]]]))
    assert tokens.varies and tokens.bitrate == 50 * 15
    with pytest.raises(WavelexError, match="cannot be packed"):
        tokens.to_bytes()


def test_damage_to_one_block_among_several_that_are_read_together_stays_there(tmp_path: Path) -> None:
    codec = with_prior(make_codec())
    tokens = codec.encode(voice(3.0), codebooks=4)
    data = bytearray(tokens.to_bytes(block_frames=20))
    data[len(data) // 2] ^= 0x55
    (tmp_path / "a.wlx").write_bytes(data)
    found = AudioTokens.load(tmp_path / "a.wlx", salvage=True, codec=codec).codes
    lost = (found[0] == LOST).all(axis=0)
    assert lost.sum() == 20 and np.array_equal(found[:, :, ~lost], tokens.codes[:, :, ~lost])
    with pytest.raises(WavelexError, match="damaged"):
        AudioTokens.load(tmp_path / "a.wlx", codec=codec)
