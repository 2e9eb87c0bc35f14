from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import voice
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.audio.files import Audio, Resampler, file_format, find_audio, read_audio, resample, write_audio
from wavelex.errors import WavelexError


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_lossless_files_round_trip(tmp_path: Path, ending: str) -> None:
    audio = Audio(np.stack([voice(0.3), voice(0.3, seed=1)]), 16000)
    write_audio(tmp_path / f"a.{ending}", audio)
    back = read_audio(tmp_path / f"a.{ending}")
    assert back.sample_rate == 16000
    np.testing.assert_allclose(back.samples, audio.samples, atol=1.6 / 32768)


@pytest.mark.parametrize("ending", ["ogg", "opus", "mp3"])
def test_lossy_files_are_written_and_read(tmp_path: Path, ending: str) -> None:
    write_audio(tmp_path / f"a.{ending}", Audio(voice(1.0, 48000)[None], 48000))
    assert abs(len(read_audio(tmp_path / f"a.{ending}")) - 48000) < 3000


def test_overshoots_are_clipped_not_wrapped(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(np.array([[1.5, -1.5, 0.0]], np.float32), 16000))
    assert read_audio(tmp_path / "a.wav").samples.round(3).tolist() == [[1.0, -1.0, 0.0]]


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=6), st.sampled_from([8000, 22050, 44100, 48000]))
def test_resampling_in_chunks_equals_resampling_the_whole(sizes: list[int], rate: int) -> None:
    x = voice(1.2, rate)[None]
    stream, pieces, start = Resampler(rate, 16000, 1), [], 0
    for size in sizes:
        pieces.append(stream.push(x[:, start : start + size]))
        start += size
    pieces.append(stream.push(x[:, start:], last=True))
    whole = resample(x, rate, 16000)
    chunked = np.concatenate(pieces, axis=1)
    assert chunked.shape == whole.shape
    np.testing.assert_allclose(chunked, whole, atol=1e-5)


def test_only_what_a_wav_cannot_hold_becomes_rf64() -> None:
    assert file_format("wav", 10**9) == file_format("", 0) == ("WAV", "PCM_16")
    assert file_format("wav", 5 * 10**9) == ("RF64", "PCM_16")
    assert file_format("flac", 5 * 10**9) == ("FLAC", "PCM_16")


def test_a_name_that_ends_like_no_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match=r"unknown audio format 'txt'; end the name in \.wav"):
        write_audio(tmp_path / "a.txt", Audio(np.zeros((1, 10), np.float32), 16000))
    assert list(tmp_path.iterdir()) == []


def test_a_long_vorbis_file_is_written_whole(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.ogg", Audio(np.zeros((1, 5_000_000), np.float32), 16000))
    assert len(read_audio(tmp_path / "a.ogg")) == 5_000_000


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match="cannot be written as MP3"):
        write_audio(tmp_path / "a.mp3", Audio(np.zeros((1, 10), np.float32), 12345))
    assert list(tmp_path.iterdir()) == []


def test_not_finite_samples_in_a_file_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    with pytest.raises(WavelexError, match="NaN"):
        read_audio(tmp_path / "a.wav")


def test_hidden_and_other_files_are_not_recordings(tmp_path: Path) -> None:
    for name in ("b.wav", "a.FLAC", ".hidden.wav", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_audio(tmp_path)] == ["a.FLAC", "b.wav"]
