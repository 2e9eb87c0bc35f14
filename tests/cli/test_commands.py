"""The commands as a user runs them: files, folders, streams, machines, and every bad input in one line with exit code 2."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import make_codec, voice
from safetensors.torch import save_file

import wavelex
from wavelex.audio.reading import read_audio
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.sample import speak
from wavelex.cli import app
from wavelex.codec.checkpoint import read_tensors, save_codec
from wavelex.tokens.format.header import Header
from wavelex.tokens.tokens import AudioTokens


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_codec(path, make_codec().model, "tiny")
    return path


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Command = Callable[..., Result]


@pytest.fixture
def run(model: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run the command line in this process; commands that take a model get the tiny one."""

    def call(*arguments: object, model_given: bool = True) -> Result:
        words = [str(a) for a in arguments]
        if model_given and words[0] in ("encode", "decode", "roundtrip"):
            words += ["--model", str(model)]
        monkeypatch.setattr(sys, "argv", ["wavelex", *words])
        try:
            app.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_audio(tmp_path / "clip.wav", Audio(voice(1.2, 22050)[None], 22050))
    return tmp_path / "clip.wav"


def test_encode_then_decode_gives_the_same_length_beside_the_input(run: Command, clip: Path) -> None:
    assert run("encode", clip).code == 0
    before = clip.read_bytes()
    assert run("decode", clip.with_suffix(".wlx")).code == 0
    assert clip.read_bytes() == before
    decoded = read_audio(clip.with_name("clip.decoded.wav"))
    assert (len(decoded), decoded.sample_rate) == (int(1.2 * 22050), 22050)


@pytest.mark.parametrize(("option", "codebooks"), [(["-n", "3"], 3), (["-b", "1.5k"], 3), (["--bitrate", "2000"], 4), (["-b", "1kbps"], 2)])
def test_rates(run: Command, clip: Path, option: list[str], codebooks: int) -> None:
    told = json.loads(run("encode", clip, "--json", *option).out)
    assert told["codebooks"] == codebooks
    assert AudioTokens.load(clip.with_suffix(".wlx")).codebooks == codebooks


def test_ways_of_encoding_all_decode_to_the_same_length(run: Command, tmp_path: Path) -> None:
    spoken = speak()
    spoken.save(tmp_path / "a.wav")
    sizes, codes = {}, {}
    for name, words in {
        "default": [],
        "packed": ["--coding", "packed"],
        "context": ["--coding", "context"],
        "packets": ["--packet", "40"],
        "refined": ["-e", "4", "-n", "4"],
        "varied": ["-t", "1.2k"],
    }.items():
        coded = tmp_path / f"{name}.wlx"
        assert run("encode", tmp_path / "a.wav", "-o", coded, *words, model_given=False).code == 0
        assert run("decode", coded, "-f", "-o", tmp_path / "out.wav", model_given=False).code == 0
        assert len(read_audio(tmp_path / "out.wav")) == len(spoken)
        sizes[name], codes[name] = coded.stat().st_size, AudioTokens.load(coded).codes
    # Spoken by a machine, which no prior has heard: no coding costs more than the plain one.
    assert max(sizes["default"], sizes["context"]) <= sizes["packed"] + 4 and sizes["default"] < sizes["packets"]
    # Only the neural prior says what codes cost, and so has codes chosen by that.
    assert np.array_equal(codes["packed"], codes["context"]) and codes["packed"].shape == codes["default"].shape
    assert 8 * sizes["varied"] / spoken.seconds == pytest.approx(1200, rel=0.25)
    told = json.loads(run("info", tmp_path / "varied.wlx", "--json").out)
    assert told["varying_codebooks"] and told["coding"] == "neural" and told["version"] == 3


def test_folders_keep_their_structure_and_one_bad_file_does_not_stop_the_rest(run: Command, clip: Path, tmp_path: Path) -> None:
    inside = tmp_path / "in" / "deeper"
    inside.mkdir(parents=True)
    for name in ("a.wav", "b.wav"):
        write_audio(inside / name, Audio(voice(0.5)[None], 16000))
    (inside / "broken.wav").write_text("text")
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out")
    assert result.code == 2
    assert result.err.count("\n") == 1 and "broken.wav: not an audio file" in result.err
    assert sorted(p.name for p in (tmp_path / "out" / "deeper").iterdir()) == ["a.wlx", "b.wlx"]
    result = run("decode", tmp_path / "out", "-o", tmp_path / "back", "--json")
    assert result.code == 0
    assert len([json.loads(line) for line in result.out.splitlines()]) == 2
    assert len(read_audio(tmp_path / "back" / "deeper" / "a.wav")) == 8000


def test_standard_streams(run: Command, clip: Path, model: Path) -> None:
    def pipe(*words: str, data: bytes) -> bytes:
        command = [sys.executable, "-m", "wavelex", *words, "--model", str(model)]
        done = subprocess.run(command, input=data, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    coded = pipe("encode", "-", "-o", "-", data=clip.read_bytes())
    assert coded.startswith(b"WLX")
    assert run("encode", clip).code == 0
    assert coded == clip.with_suffix(".wlx").read_bytes()
    heard = read_audio(io.BytesIO(pipe("decode", "-", "-o", "-", data=coded)))
    assert len(heard) == int(1.2 * 22050)


def test_stereo_files(run: Command, tmp_path: Path) -> None:
    write_audio(tmp_path / "s.wav", Audio(np.stack([voice(0.4), voice(0.4, seed=3)]), 16000))
    assert run("encode", tmp_path / "s.wav", "--per-channel", "-o", tmp_path / "two.wlx").code == 0
    assert run("encode", tmp_path / "s.wav", "-o", tmp_path / "one.wlx").code == 0
    for name, channels in (("two", 2), ("one", 1)):
        assert run("decode", tmp_path / f"{name}.wlx").code == 0
        assert read_audio(tmp_path / f"{name}.decoded.wav").samples.shape == (channels, 6400)


def test_decode_at_another_rate_and_fewer_codebooks(run: Command, clip: Path, tmp_path: Path) -> None:
    run("encode", clip)
    assert run("decode", clip.with_suffix(".wlx"), "-n", "2", "--sample-rate", "48000", "-o", tmp_path / "x.flac").code == 0
    heard = read_audio(tmp_path / "x.flac")
    assert (heard.sample_rate, len(heard)) == (48000, 57600)


def test_roundtrip_writes_and_measures(run: Command, clip: Path) -> None:
    told = json.loads(run("roundtrip", clip, "-n", "4", "--json").out)
    # At 16 kHz, as it is measured, the file is a few bytes of header shorter or longer.
    written = json.loads(run("encode", clip, "-n", "4", "--json").out)
    assert told["bits_per_second"] == pytest.approx(written["bits_per_second"], rel=0.01)
    assert 1 <= told["pesq"] <= 4.7 and -1 <= told["stoi"] <= 1
    assert len(read_audio(clip.with_name("clip.decoded.wav"))) == 19200


def test_info_of_a_file_and_of_a_model(run: Command, clip: Path, model: Path) -> None:
    run("encode", clip, "-n", "2")
    told = json.loads(run("info", clip.with_suffix(".wlx"), "--json").out)
    assert (told["codebooks"], told["frames"], told["damage"]) == (2, 60, [])
    told = json.loads(run("info", model, "--json").out)
    assert told["bits_per_second"] == [500.0 * n for n in range(1, 9)]
    assert told["lookahead_ms"] <= 80
    assert "codebook sizes" in run("info", model).out


def test_damage_is_told_and_salvaged(run: Command, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(11)[None], 16000))
    coded = tmp_path / "a.wlx"
    run("encode", tmp_path / "a.wav")
    data = bytearray(coded.read_bytes())
    data[-2500] ^= 0xFF
    coded.write_bytes(data)
    assert "is damaged: its checksum does not match" in run("info", coded).out
    result = run("decode", coded)
    assert result.code == 2
    assert "a.wlx: block 2 of 3 (4.0 to 8.0 s) is damaged: its checksum does not match; decode the rest with --salvage" in result.err
    assert not (tmp_path / "a.decoded.wav").exists()
    told = json.loads(run("decode", coded, "--salvage", "--json").out)
    assert told["lost_seconds"] == 4.0
    heard = read_audio(tmp_path / "a.decoded.wav").samples[0]
    assert len(heard) == 11 * 16000
    assert not heard[4 * 16000 : 8 * 16000].any() and heard[: 4 * 16000].any() and heard[8 * 16000 + 500 :].any()


def test_version(run: Command) -> None:
    assert run("--version").out.strip() == f"wavelex {wavelex.__version__}"


def _empty(folder: Path) -> Path:
    (folder / "bad.wav").touch()
    return folder / "bad.wav"


def _text(folder: Path) -> Path:
    (folder / "bad.wav").write_text("these are words, not samples\n" * 20)
    return folder / "bad.wav"


def _nan(folder: Path) -> Path:
    soundfile.write(folder / "bad.wav", np.array([0.1, np.nan, 0.2]), 16000, subtype="FLOAT")
    return folder / "bad.wav"


def _no_channels(folder: Path) -> Path:
    body = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 0, 16000, 0, 0, 16) + b"data" + struct.pack("<I", 0)
    (folder / "bad.wav").write_bytes(b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body)
    return folder / "bad.wav"


def _missing(folder: Path) -> Path:
    return folder / "bad.wav"


def _folder_without_audio(folder: Path) -> Path:
    (folder / "bad").mkdir()
    return folder / "bad"


BAD_RECORDINGS = {
    "missing": (_missing, "no such file"),
    "empty": (_empty, "the file is empty"),
    "text": (_text, "not an audio file"),
    "NaN": (_nan, "NaN or infinite"),
    "no channels": (_no_channels, "not an audio file"),
    "folder without audio": (_folder_without_audio, "holds no files"),
}


@pytest.mark.parametrize("command", ["encode", "roundtrip"])
@pytest.mark.parametrize("kind", BAD_RECORDINGS)
def test_bad_recordings_are_one_line_and_leave_nothing(run: Command, tmp_path: Path, command: str, kind: str) -> None:
    make, words = BAD_RECORDINGS[kind]
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = run(command, path)
    assert result.code == 2
    assert result.out == "" and result.err.count("\n") == 1
    assert str(path) in result.err and words in result.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, with an unreadable recording and a folder closed to writing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for recording in ("closed.wav", "open.wav"):
            write_audio(folder / recording, Audio(voice(0.1)[None], 16000))
        AudioTokens(np.zeros((1, 8, 5), np.int64), "tiny", "0" * 16, 16000, 320, (1024,) * 8, 16000, 1600).save(folder / "closed.wlx")
        for closed in ("closed.wav", "closed.wlx"):
            (folder / closed).chmod(0)
        (folder / "closed").mkdir(mode=0o555)
        yield folder


@pytest.fixture
def powerless() -> Iterator[None]:
    """Tests often run as root, whom no permission stops; this one runs as nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_and_unwritable_places(run: Command, open_folder: Path, model: Path, powerless: None) -> None:
    codec = make_codec()
    for command, source, target in [
        ("encode", open_folder / "closed.wav", None),
        ("decode", open_folder / "closed.wlx", None),
        ("encode", open_folder / "open.wav", open_folder / "closed" / "x.wlx"),
    ]:
        with pytest.MonkeyPatch.context() as patched:
            # The model itself lies in a folder of root's.
            patched.setattr(f"wavelex.cli.{command}.model_once", lambda name: codec)
            result = run(command, source, "-f", *(["-o", target] if target else []))
        assert result.code == 2 and result.err.count("\n") == 1, result.err
        assert "ermission" in result.err, result.err
    assert list((open_folder / "closed").iterdir()) == []


@pytest.mark.parametrize("command", ["encode", "roundtrip"])
@pytest.mark.parametrize(("samples", "words"), [(0, "holds no samples"), (1, "holds 1 sample,")])
def test_recordings_without_sound_are_told(run: Command, tmp_path: Path, command: str, samples: int, words: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(samples, 0.1), 16000)
    result = run(command, tmp_path / "a.wav")
    assert result.code == 2 and result.err.count("\n") == 1 and f"a.wav: {words}" in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_two_samples_are_a_recording(run: Command, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(2, 0.1), 16000)
    assert run("encode", tmp_path / "a.wav").code == 0
    assert run("decode", tmp_path / "a.wlx").code == 0
    assert len(read_audio(tmp_path / "a.decoded.wav")) == 2


def test_outputs_that_cannot_be_written(run: Command, clip: Path, tmp_path: Path) -> None:
    for target, words in [
        (tmp_path / "nowhere" / "x.wlx", "its folder does not exist; create"),
        (clip, "the output would overwrite it"),
        (Path(os.path.relpath(clip)), "the output would overwrite it"),
        (Path("/dev/null"), "is a device or pipe"),
        (tmp_path / "x.nope" / "y", "its folder does not exist"),
        (Path("/proc/x.wlx"), "cannot be written"),
    ]:
        result = run("encode", clip, "-o", target)
        assert result.code == 2 and result.err.count("\n") == 1 and words in result.err, result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.wav"]


def test_bad_token_files(run: Command, clip: Path, tmp_path: Path) -> None:
    run("encode", clip)
    good = clip.with_suffix(".wlx").read_bytes()
    bad = tmp_path / "bad.wlx"
    for data, words in [
        (b"", "not a .wlx file"),
        (b"RIFF" + good[4:], "not a .wlx file"),
        (good[:4] + b"\x07" + good[5:], "version 7, this program reads versions 1 to 3; update wavelex"),
        (good[:20], "ends inside its header"),
        (good[:10] + b"\xff" + good[11:], "its header is damaged"),
        (good[:-100], "missing: the file ends before it"),
        (good + b"!", "has bytes after its last block"),
    ]:
        bad.write_bytes(data)
        result = run("decode", bad)
        assert result.code == 2 and result.err.count("\n") == 1, result.err
        assert "bad.wlx" in result.err and words in result.err
        assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.wlx", "clip.wav", "clip.wlx"]


@pytest.mark.parametrize(
    "field",
    [
        "sample_rate",
        "source_rate",
        "hop_length",
        "streams",
        "block_frames",
        "codebook_sizes",
        "length",
        "frames",
        "source_rate high",
        "model",
    ],
)
def test_headers_with_a_right_checksum_and_silly_values(run: Command, tmp_path: Path, field: str) -> None:
    values = {
        "sample_rate": 0,
        "source_rate": 0,
        "hop_length": 0,
        "streams": 0,
        "block_frames": 0,
        "codebook_sizes": (),
        "length": 2**50,
        "frames": 2**31,
    }
    good = Header("tiny", "00112233aabbccdd", 16000, 320, 16000, 1, (1024,) * 8, 3200, 10)
    if field == "model":
        data = Header("xx", good.weights_hash, 16000, 320, 16000, 1, (1024,), 3200, 10).to_bytes()
        data = data[:-6] + b"\xff\xfe"
        data += struct.pack("<I", zlib.crc32(data))
    elif field == "source_rate high":
        data = replace(good, source_rate=2**32 - 1).to_bytes()
    else:
        data = replace(good, **{field: values.get(field, 2**50)}).to_bytes()
    (tmp_path / "bad.wlx").write_bytes(data)
    for words in (["decode"], ["decode", "--salvage"], ["info"]):
        result = run(words[0], tmp_path / "bad.wlx", *words[1:])
        assert result.code == 2 and result.err.count("\n") == 1, result.err
        assert "bad.wlx: its header" in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["bad.wlx"]


def test_a_full_disk_is_one_line_and_leaves_nothing(run: Command, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wavelex.tokens.format.container.Writer.write", full)
    result = run("encode", clip)
    assert result.code == 2 and result.err.count("\n") == 1 and "No space left on device" in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["clip.wav"]


def test_roundtrip_of_a_folder_leaves_its_own_results_out(run: Command, clip: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("roundtrip", tmp_path, "-f").code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.decoded.wav", "clip.wav"]


def test_codes_out_of_range_and_wrong_weights(run: Command, clip: Path, tmp_path: Path, model: Path) -> None:
    codec = wavelex.load(model)
    tokens = codec.encode(clip)
    wide = AudioTokens(tokens.codes + 1024, tokens.model, tokens.weights_hash, 16000, 320, (4096,) * 8, 22050, tokens.length)
    wide.save(tmp_path / "wide.wlx")
    result = run("decode", tmp_path / "wide.wlx")
    assert result.code == 2 and result.err.count("\n") == 1 and "wide.wlx: says codebooks of [4096" in result.err
    other = make_codec(seed=7)
    save_codec(tmp_path / "other.safetensors", other.model, "other")
    tokens.save(tmp_path / "a.wlx")
    result = run("decode", tmp_path / "a.wlx", "--model", tmp_path / "other.safetensors", model_given=False)
    assert result.code == 2 and "decode with the model that encoded it" in result.err
    assert sorted(p.name for p in tmp_path.glob("*.wav")) == ["clip.wav"]


def test_bad_models(run: Command, clip: Path, tmp_path: Path, model: Path) -> None:
    header, tensors = read_tensors(model)
    save_file(tensors, tmp_path / "unknown.safetensors", metadata={**header, "design": "future_codec"})
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 100)
    for name, words in [
        ("no-such-model", "no model 'no-such-model'"),
        (tmp_path / "unknown.safetensors", "unknown design 'future_codec'"),
        (tmp_path / "junk.safetensors", "not a safetensors checkpoint"),
    ]:
        result = run("encode", clip, "--model", name, model_given=False)
        assert result.code == 2 and result.err.count("\n") == 1 and words in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-n", "9"], "1 to 8"),
        (["-n", "0"], "1 to 8"),
        (["-b", "100"], "below the lowest rate"),
        (["-b", "fast"], "give bits a second"),
        (["-b", "1k", "-n", "2"], "not both"),
        (["-t", "1k"], "need a token prior"),
        (["-t", "soon"], "give bits a second"),
        (["--coding", "neural"], "no neural prior"),
        (["--coding", "zip"], "choose from packed, context, neural"),
        (["--packet", "5000"], "at most 4 s"),
        (["-t", "1k", "--coding", "packed"], "cannot be packed"),
    ],
)
def test_bad_rates(run: Command, clip: Path, words: list[str], message: str) -> None:
    result = run("encode", clip, *words)
    assert result.code == 2 and result.err.count("\n") == 1 and message in result.err


def test_two_inputs_for_one_output_are_refused(run: Command, tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        write_audio(tmp_path / name, Audio(voice(0.1)[None], 16000))
    result = run("encode", tmp_path / "a.wav", tmp_path / "a.flac", "-o", tmp_path)
    assert result.code == 2 and "two inputs would be written to it" in result.err


def test_what_is_there_is_overwritten_or_left_only_when_asked(run: Command, clip: Path) -> None:
    coded = clip.with_suffix(".wlx")
    assert run("encode", clip).code == 0
    before = coded.read_bytes()
    refused = run("encode", clip, "-n", "2")
    assert refused.code == 2 and "--force" in refused.err and refused.err.count("\n") == 1 and coded.read_bytes() == before
    assert run("encode", clip, "-n", "2", "--skip-existing").code == 0 and coded.read_bytes() == before
    assert run("encode", clip, "-n", "2", "--force").code == 0 and coded.read_bytes() != before
    assert run("decode", coded).code == 0 and run("decode", coded).code == 2


def test_an_out_that_ends_in_a_slash_is_a_folder(run: Command, clip: Path, tmp_path: Path) -> None:
    assert run("encode", clip, "-o", f"{tmp_path}/new/").code == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["clip.wlx"]


def test_several_processes_give_the_files_of_one(run: Command, tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    for index in range(3):
        write_audio(inside / f"{index}.wav", Audio(voice(0.4, seed=index)[None], 16000))
    (inside / "broken.wav").write_text("text")
    one, two = run("encode", inside, "-o", tmp_path / "one"), run("encode", inside, "-o", tmp_path / "two", "-j", "2")
    assert one.code == two.code == 2 and "broken.wav" in two.err and sorted(two.out.splitlines()) != []
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    assert len(list((tmp_path / "two").iterdir())) == 3


def test_bare_samples_on_standard_input(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = (voice(0.5) * 32767).astype("<i2")
    soundfile.write(tmp_path / "same.wav", samples, 16000)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(samples.tobytes())))
    assert run("encode", "-", "--raw-rate", "16000", "-o", tmp_path / "raw.wlx").code == 0
    assert run("encode", tmp_path / "same.wav").code == 0
    assert (tmp_path / "raw.wlx").read_bytes() == (tmp_path / "same.wlx").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"odd")))
    refused = run("encode", "-", "--raw-rate", "16000", "-o", tmp_path / "x.wlx")
    assert refused.code == 2 and "16-bit" in refused.err


def test_clipping_is_told_and_can_be_avoided(run: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(0.5)[None], 16000))
    assert run("encode", tmp_path / "a.wav").code == 0
    loud = wavelex.load(model)
    istft = loud.model.decoder.istft
    istft.gain *= 500
    monkeypatch.setattr("wavelex.cli.decode.model_once", lambda name: loud)
    told = json.loads(run("decode", tmp_path / "a.wlx", "--json").out)
    assert told["clipped_samples"] > 0
    turned_down = json.loads(run("decode", tmp_path / "a.wlx", "--json", "--rescale", "-f").out)
    assert turned_down["clipped_samples"] == 0
    assert np.abs(read_audio(tmp_path / "a.decoded.wav").samples).max() == pytest.approx(1.0, abs=1e-3)


def test_a_name_that_is_not_utf8_does_not_end_a_batch(run: Command, tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    strange = os.fsencode(inside) + b"/a\xff\n.wav"
    write_audio(inside / "b.wav", Audio(voice(0.3)[None], 16000))
    Path(os.fsdecode(strange)).write_bytes((inside / "b.wav").read_bytes())
    (inside / os.fsdecode(b"c\xfe.wav")).write_text("text")
    result = run("encode", inside)
    assert result.code == 2 and result.err.count("\n") == 1 and result.out.count("\n") == 2
    assert len(list(inside.glob("*.wlx"))) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_results_that_cannot_be_printed_do_not_end_a_batch(model: Path, tmp_path: Path) -> None:
    for index in range(2):
        write_audio(tmp_path / f"{index}.wav", Audio(voice(0.2, seed=index)[None], 16000))
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "wavelex", "encode", str(tmp_path), "--model", str(model)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 2 and "Traceback" not in done.stderr and len(list(tmp_path.glob("*.wlx"))) == 2


WITHOUT_TORCH = """
import sys
from wavelex.cli.app import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_does_without_torch(word: str) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, word], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
