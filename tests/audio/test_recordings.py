from __future__ import annotations

from pathlib import Path

import pytest
from conftest import voice

from wavelex.audio.recordings import Recording, list_recordings
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.errors import WavelexError


def clip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, Audio(voice(0.2)[None], 16000))
    return path


@pytest.mark.parametrize("place", ["", "set"])
def test_a_folder_takes_what_its_manifest_or_its_parents_says(tmp_path: Path, place: str) -> None:
    a, b = clip(tmp_path / "set" / "a.wav"), clip(tmp_path / "set" / "deep" / "b.wav")
    where = tmp_path / place
    (where / "manifest.tsv").write_text(f'text\tpath\tkind\tspeaker\tlanguage\nit\'s "one"\t{a.relative_to(where)}\tspeech\tann\ten\n')
    found = list_recordings(tmp_path / "set")
    assert found[0] == Recording(a, "a.wav", "speech", "ann", "en", 'it\'s "one"')
    assert found[1] == Recording(b, "deep/b.wav")


@pytest.mark.parametrize("text", ["a.wav\nb.wav\n", "speaker\tpath\nx\ta.wav\n\ny\tb.wav\n"])
def test_a_manifest_lists_paths_beside_itself(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.tsv").write_text(text)
    found = list_recordings(tmp_path / "list.tsv")
    assert [recording.path for recording in found] == [tmp_path / "a.wav", tmp_path / "b.wav"]
    assert [recording.speaker for recording in found] == (["x", "y"] if "speaker" in text else ["", ""])


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match="no such folder or manifest"):
        list_recordings(tmp_path / "nowhere")
    with pytest.raises(WavelexError, match="holds no audio"):
        list_recordings(tmp_path)
    with pytest.raises(WavelexError, match="not a manifest"):
        list_recordings(clip(tmp_path / "a.wav"))


@pytest.mark.parametrize("text", ['"Hello', 'he said "no"', '"', '""'])
def test_quotes_in_a_text_swallow_no_rows(tmp_path: Path, text: str) -> None:
    rows = "".join(f"{name}.wav\t{text}\n" for name in "abcde")
    (tmp_path / "list.tsv").write_text("path\ttext\n" + rows)
    found = list_recordings(tmp_path / "list.tsv")
    assert [recording.name for recording in found] == [f"{name}.wav" for name in "abcde"]
    assert {recording.text for recording in found} == {text}


@pytest.mark.parametrize("content", [b"path\ttext\na.wav\t\0\n", b"a\0.wav\n", b"\xff\xfe", b"path\n" + b"x" * 200_000])
def test_what_is_no_manifest_is_told_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.tsv").write_bytes(content)
    with pytest.raises(WavelexError, match=r"list.tsv: not a manifest.*; give a folder of recordings or a text file"):
        list_recordings(tmp_path / "list.tsv")


def test_links_that_lead_nowhere_are_passed_over(tmp_path: Path) -> None:
    kept = clip(tmp_path / "a.wav")
    (tmp_path / "loop.wav").symlink_to(tmp_path / "loop.wav")
    (tmp_path / "manifest.tsv").write_text("path\tkind\nloop.wav\tspeech\na.wav\tmusic\n")
    assert list_recordings(tmp_path) == [Recording(kept, "a.wav", "music")]
    with pytest.raises(WavelexError, match="no such folder or manifest"):
        list_recordings(tmp_path / "b\0")
