from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import voice

from wavelex.audio.recordings import list_recordings
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.errors import WavelexError
from wavelex.training.data import PackedAudio, draw_batch


def paths(source: Path) -> list[Path]:
    return [recording.path for recording in list_recordings(source)]


def quiet(done: int) -> None:
    pass


def test_packing_resamples_mixes_and_leaves_out_what_cannot_be_read(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(np.stack([voice(1, 48000)] * 2), 48000))
    write_audio(tmp_path / "b.flac", Audio(voice(2)[None], 16000))
    (tmp_path / "c.wav").write_text("not audio")
    packed = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    assert packed.hours == pytest.approx(3 / 3600, rel=1e-3)
    assert len(packed.skipped) == 1 and "c.wav" in packed.skipped[0]
    np.testing.assert_allclose(packed.samples[-32000:] / 32768, voice(2), atol=2e-4)


def test_packing_is_done_once_and_again_when_the_recordings_change(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(1)[None], 16000))
    first = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    made = first.path.stat().st_mtime_ns
    assert PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet).path.stat().st_mtime_ns == made
    write_audio(tmp_path / "b.wav", Audio(voice(1)[None], 16000))
    assert PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet).path != first.path


def test_an_edited_recording_of_the_same_size_is_packed_again(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(1)[None], 16000))
    first = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    size = (tmp_path / "a.wav").stat().st_size
    write_audio(tmp_path / "a.wav", Audio(voice(1, seed=1)[None], 16000))
    assert (tmp_path / "a.wav").stat().st_size == size
    second = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    assert second.path != first.path
    np.testing.assert_allclose(second.samples / 32768, voice(1, seed=1), atol=2e-4)


def test_recordings_that_were_only_touched_are_the_same_to_a_run(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(1)[None], 16000))
    first = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    os.utime(tmp_path / "a.wav", ns=(1, 1))
    touched = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    write_audio(tmp_path / "a.wav", Audio(voice(1, seed=1)[None], 16000))
    edited = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    assert first.digest == touched.digest != edited.digest


def test_clips_come_at_many_levels_and_none_is_clipped(tmp_path: Path) -> None:
    tone = 0.1 * np.sin(2 * np.pi * 200 * np.arange(64_000) / 16000)
    write_audio(tmp_path / "a.wav", Audio(tone[None].astype(np.float32), 16000))
    packed = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    batch = draw_batch(packed, (0, 0), 64, 8000)
    levels = 20 * np.log10(batch.samples[:, 0].abs().amax(dim=1).numpy() / 0.1)
    assert -10.1 < levels.min() < -8 and 3 < levels.max() < 5.1 and 3 < levels.std() < 6
    write_audio(tmp_path / "a.wav", Audio(9 * tone[None].astype(np.float32), 16000))
    loud = draw_batch(PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet), (0, 0), 64, 8000)
    assert float(loud.samples.abs().max()) <= 0.991


def test_a_batch_knows_where_its_clips_begin(tmp_path: Path) -> None:
    for index in range(3):
        write_audio(tmp_path / f"{index}.wav", Audio(np.full((1, 8000 + 1000 * index), 0.1 * (index + 1), np.float32), 16000))
    packed = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    assert packed.at(np.array([0, 7999, 8000, 17_000])).tolist() == [[0, 0], [0, 7999], [1, 0], [2, 0]]
    batch = draw_batch(packed, (0, 3), 16, 100)
    for samples, (clip, first) in zip(batch.samples[:, 0], batch.clips.tolist(), strict=True):
        here = packed.samples[packed.starts[clip] + first : packed.starts[clip] + first + 100].astype(np.float64)
        ratio = samples.numpy() / here
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


@pytest.mark.parametrize("text", ["a.wav\nb.wav\n", "speaker\tpath\nx\ta.wav\n\ny\tb.wav\n"])
def test_manifests(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.tsv").write_text(text)
    assert paths(tmp_path / "list.tsv") == [tmp_path / "a.wav", tmp_path / "b.wav"]


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match="no such folder or manifest"):
        list_recordings(tmp_path / "nowhere")
    with pytest.raises(WavelexError, match="holds no audio"):
        list_recordings(tmp_path)
    (tmp_path / "c.wav").write_text("not audio")
    write_audio(tmp_path / "a.wav", Audio(voice(1)[None], 16000))
    with pytest.raises(WavelexError, match="not a manifest"):
        list_recordings(tmp_path / "a.wav")
    write_audio(tmp_path / "none.wav", Audio(np.zeros((1, 0), np.float32), 16000))
    with pytest.raises(WavelexError, match="they hold no samples"):
        PackedAudio([tmp_path / "none.wav"], 16000, tmp_path / "cache", quiet)
    with pytest.raises(WavelexError, match="none of the 1 recordings"):
        PackedAudio([tmp_path / "c.wav"], 16000, tmp_path / "cache", quiet)


def test_clips_are_the_same_from_a_devices_memory(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(1)[None], 16000))
    packed = PackedAudio(paths(tmp_path), 16000, tmp_path / "cache", quiet)
    read = [draw_batch(packed, (0, step), 8, length) for step, length in ((0, 4000), (1, 20000))]
    packed.hold(torch.device("cpu"), packed.samples.nbytes - 1)
    assert packed.held is None
    packed.hold(torch.device("cpu"), packed.samples.nbytes)
    assert packed.held is not None
    for step, length in ((0, 4000), (1, 20000)):
        held = draw_batch(packed, (0, step), 8, length)
        assert torch.equal(held.samples, read[step].samples) and torch.equal(held.clips, read[step].clips)
