from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from conftest import voice
from hypothesis import given, settings
from hypothesis import strategies as st

from wavelex.audio import resampling, writing
from wavelex.audio.reading import AudioReader, find_audio, read_audio
from wavelex.audio.resampling import Resampler, resample
from wavelex.audio.samples import Audio, as_samples
from wavelex.audio.writing import AudioWriter, file_format, write_audio
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


@pytest.mark.parametrize(("source", "target"), [(16_000, 768_000), (44_100, 16_000)])
def test_a_long_signal_is_resampled_in_pieces_without_a_seam(source: int, target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.stack([voice(2.0, source), voice(2.0, source, seed=1)])
    largest = 0
    chunk = soxr.ResampleStream.resample_chunk

    def measured(stream: soxr.ResampleStream, piece: np.ndarray, last: bool) -> np.ndarray:
        nonlocal largest
        largest = max(largest, len(piece))
        return chunk(stream, piece, last=last)

    monkeypatch.setattr(soxr.ResampleStream, "resample_chunk", measured)
    monkeypatch.setattr(resampling, "RESAMPLED_AT_ONCE", 1 << 15)
    pieces = resample(x, source, target)
    assert largest * max(source, target) // source <= 1 << 15
    monkeypatch.setattr(resampling, "RESAMPLED_AT_ONCE", 1 << 30)
    whole = resample(x, source, target)
    assert pieces.shape == whole.shape
    np.testing.assert_allclose(pieces, whole, atol=1e-5)


def test_only_what_a_wav_cannot_hold_becomes_rf64() -> None:
    assert file_format("wav", 10**9) == file_format("", 0) == ("WAV", "PCM_16")
    assert file_format("wav", 5 * 10**9) == file_format("wav", None) == ("RF64", "PCM_16")
    assert file_format("flac", 5 * 10**9) == ("FLAC", "PCM_16")
    for ending in ("aiff", "au"):
        with pytest.raises(WavelexError, match=r"more than .* can hold; end the name in \.wav"):
            file_format(ending, 5 * 10**9)


def test_what_turns_out_longer_than_a_wav_can_hold_is_never_written_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LIMIT", 1000)
    samples = np.zeros((1, 400), np.float32)
    for name, expected, format_ in [("known.wav", 800, "RF64"), ("unknown.wav", None, "RF64"), ("short.wav", 400, "WAV")]:
        with AudioWriter(tmp_path / name, 16000, 1, expected) as writer:
            for _ in range(1 if expected == 400 else 2):
                writer.write(samples)
        assert soundfile.info(tmp_path / name).format == format_ and len(read_audio(tmp_path / name)) == (expected or 800)
    write_audio(tmp_path / "whole.wav", Audio(np.zeros((1, 501), np.float32), 16000))
    assert soundfile.info(tmp_path / "whole.wav").format == "RF64"
    for ending in ("wav", "aiff"):
        with (
            pytest.raises(WavelexError, match=f"wrong.{ending}: is more than"),
            AudioWriter(tmp_path / f"wrong.{ending}", 16000, 1, 1) as w,
        ):
            w.write(samples)
            w.write(samples)
    assert not list(tmp_path.glob("*wrong*")) and not list(tmp_path.glob(".*"))


def test_a_failed_close_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk."""
    close = soundfile.SoundFile.close

    def fail(file: soundfile.SoundFile) -> None:
        open_before = not file.closed
        close(file)
        if open_before:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile.SoundFile, "close", fail)
    with pytest.raises(OSError, match="No space"):
        write_audio(tmp_path / "a.wav", Audio(np.zeros((1, 10), np.float32), 16000))
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate", [1, 999, 768_001, 49_000_000])
def test_rates_of_no_recording_are_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), rate)
    with pytest.raises(WavelexError, match=f"a.wav: says a rate of {rate} Hz, which is not 1000 to 768000"):
        read_audio(tmp_path / "a.wav")


def test_blocks_are_bounded_in_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((300_000, 16), np.int16), 768_000)
    with AudioReader(tmp_path / "a.wav") as reader:
        assert [block.shape[1] for block in reader.blocks()] == [1 << 18, 300_000 - (1 << 18)]


def test_recordings_are_read_from_pipes(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.flac", Audio(voice(0.3)[None], 16000))
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "a.flac").read_bytes()))
    feeder.start()
    assert read_audio(tmp_path / "pipe") == read_audio(tmp_path / "a.flac")
    feeder.join()


def test_names_that_cannot_be_or_be_shown_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match=r"a\\x00b: no file can have such a name"):
        read_audio("a\0b")
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    Path(name).write_bytes(b"no audio")
    with pytest.raises(WavelexError, match=r"caf\\xe9.wav: not an audio file") as told:
        read_audio(name)
    assert str(told.value).encode("utf-8")
    Path(name).unlink()
    write_audio(name, Audio(np.zeros((1, 10), np.float32), 16000))
    assert len(read_audio(name)) == 10


def test_what_is_no_recording_is_not_printed() -> None:
    with pytest.raises(WavelexError, match="a list is no recording; give a path, an open file, or samples as an array"):
        AudioReader([0.0] * 1000)


def test_samples_in_other_units_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 32767.0]), 16000, subtype="FLOAT")
    with pytest.raises(WavelexError, match=r"a.wav: holds samples up to 32767, where full scale is 1; export it again"):
        read_audio(tmp_path / "a.wav")
    with pytest.raises(WavelexError, match=r"samples up to 32767: give floats in \[-1, 1\] or int16"):
        as_samples(np.array([0.0, -32767.0]))
    assert as_samples(np.array([1.5, -2.0])).tolist() == [[1.5, -2.0]]
    assert as_samples(np.array([32767], np.int16)).max() < 1
    assert as_samples(np.zeros((1, 0))).shape == (1, 0)
    assert as_samples([0.5, -0.5]).tolist() == [[0.5, -0.5]]
    with pytest.raises(WavelexError, match="rows that differ in length"):
        as_samples([[0.5], [0.5, 0.5]])


def test_audio_is_equal_where_its_samples_and_rate_are() -> None:
    one = Audio(voice(0.1)[None], 16000)
    assert one == Audio(one.samples.copy(), 16000) and one != Audio(one.samples, 8000) and one != Audio(one.samples[:, 1:], 16000)
    assert one != "audio" and one in [one]


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
