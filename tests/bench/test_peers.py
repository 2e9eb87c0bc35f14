"""Peers: called as they should be, counted right, absent in words. Their programs are stood in for where they are not installed."""

from __future__ import annotations

import ctypes
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import transformers
from conftest import voice

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.alignment import find_delay
from wavelex.bench.systems import peers
from wavelex.bench.systems.peers import amrwb, choose_peers, opus, peer
from wavelex.bench.systems.peers.amrwb import FRAME_BYTES, SPEECH_BITS
from wavelex.bench.systems.peers.ogg import packets, payload_bits
from wavelex.bench.systems.peers.program import debian_version
from wavelex.bench.systems.system import Original, System
from wavelex.errors import WavelexError

SPEECH = voice(2.0)


def stand_in(folder: Path, name: str, body: str) -> None:
    """A program of that name that runs Python code with the files it is given as `source` and `target`."""
    script = folder / name
    script.write_text(f"#!{sys.executable}\nimport pathlib, shutil, sys\nsource, target = map(pathlib.Path, sys.argv[-2:])\n{body}\n")
    script.chmod(0o755)


def there_and_back(system: System, samples: np.ndarray = SPEECH) -> np.ndarray:
    return system.decode(system.encode(samples, "clip.wav").data)


def test_the_original_is_a_perfect_copy() -> None:
    system = Original()
    np.testing.assert_allclose(there_and_back(system), SPEECH, atol=1e-4)
    assert system.encode(SPEECH, "clip").bits == 16 * len(SPEECH)


def test_codec2_is_called_at_8_khz_and_its_frames_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = "6 * (source.stat().st_size // 640)"
    stand_in(tmp_path, "c2enc", f"target.write_bytes(source.read_bytes()[:{frames}])\nshutil.copy(source, '{tmp_path}/kept')")
    stand_in(tmp_path, "c2dec", f"shutil.copy('{tmp_path}/kept', target)")
    monkeypatch.setenv("PATH", str(tmp_path))
    system = peer("codec2-1200")
    coded = system.encode(SPEECH, "clip")
    assert coded.bits == 1200 * 2.0 and len(coded.data) == 6 * 50
    heard = system.decode(coded.data)
    assert len(heard) == len(SPEECH) and np.corrcoef(heard, SPEECH)[0, 1] > 0.95


@pytest.mark.parametrize(("name", "programs"), [("opus-6", ("opusenc", "opusdec")), ("speex-6", ("speexenc", "speexdec"))])
def test_ogg_peers_are_given_files_and_only_packets_are_counted(
    name: str, programs: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = "b'OggS' + bytes(22) + bytes([4, 19, 30, 40, 10]) + bytes(99)"
    stand_in(tmp_path, programs[0], f"target.write_bytes({pages})\nshutil.copy(source, '{tmp_path}/kept.wav')")
    stand_in(tmp_path, programs[1], f"shutil.copy('{tmp_path}/kept.wav', target)")
    monkeypatch.setenv("PATH", str(tmp_path))
    system = peer(name)
    coded = system.encode(SPEECH, "clip")
    assert coded.bits == 8 * 50
    np.testing.assert_allclose(system.decode(coded.data), SPEECH, atol=1e-4)
    assert "command" in system.about


class StandInOpus:
    """libopus as far as it is called: each packet's first byte is the level of its frame, and a lost one repeats half the last."""

    def __init__(self) -> None:
        self.level = 0
        self.opus_decoder_create, self.opus_decode = lambda rate, channels, error: 1, self._decode

    def _decode(self, decoder: object, packet: bytes | None, size: int, buffer: object, frames: int, fec: int) -> int:
        assert (packet is None) == (size == 0) and fec == 0
        self.level = packet[0] * 100 if packet else self.level // 2
        ctypes.memmove(buffer, np.full(frames, self.level, "<i2").tobytes(), 2 * frames)
        return frames

    def opus_decoder_destroy(self, decoder: object) -> None:
        pass


def test_opus_conceals_lost_packets_itself_and_its_preskip_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"OpusHead" + bytes([1, 1]) + (312).to_bytes(2, "little") + bytes(7)
    body = b"".join(bytes([level] * 20) for level in (1, 2, 3, 4))
    data = b"OggS" + bytes(22) + bytes([6, 19, 30, 20, 20, 20, 20]) + head + bytes(30) + body
    made = StandInOpus()
    made.opus_decoder_create = type("Function", (), {"__call__": lambda *_: 1})()
    monkeypatch.setattr(opus.ctypes, "CDLL", lambda name: made)
    monkeypatch.setattr(opus, "need", lambda program, package: None)
    heard = peer("opus-6").decode(data, np.array([False, False, True, False]))
    levels = np.round(heard * 32768).astype(int)
    assert len(levels) == 4 * 320 - 104
    assert [levels[i] for i in (0, 300, 600, 900)] == [100, 200, 100, 400]


def test_a_peer_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "opusenc", "sys.exit('no such option')")
    stand_in(tmp_path, "opusdec", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WavelexError, match="opusenc failed: no such option"):
        there_and_back(peer("opus-6"))


@pytest.mark.parametrize(("name", "program"), [("codec2-1200", "c2enc"), ("opus-6", "opusenc"), ("speex-4", "speexenc")])
def test_a_missing_program_is_one_clear_line(name: str, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(WavelexError, match=f"{program} is not installed; apt-get install"):
        peer(name)


def test_a_missing_library_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(amrwb.ctypes, "CDLL", absent)
    amrwb._library.cache_clear()
    with pytest.raises(WavelexError, match=r"libvo-amrwbenc.so.0 is not installed; apt-get install libvo-amrwbenc0"):
        peer("amrwb-6.60")


def test_amr_wb_frames_are_what_the_file_format_says() -> None:
    # RFC 4867, section 5.3: one byte of header, then the speech bits in whole bytes.
    assert tuple(1 + -(-bits // 8) for bits in SPEECH_BITS.values()) == FRAME_BYTES


def test_lyra_needs_its_files_and_says_which(tmp_path: Path) -> None:
    with pytest.raises(WavelexError, match=r"needs Lyra V2's model files; give their folder with --lyra"):
        peer("lyra-3.2")
    with pytest.raises(WavelexError, match=r"holds no soundstream_encoder.tflite"):
        peer("lyra-3.2", tmp_path)


def test_unknown_peers_and_rates_are_refused(tmp_path: Path) -> None:
    for name, reason in {
        "mp3-64": "unknown peer 'mp3-64'",
        "opus-fast": "unknown peer",
        "codec2-9999": "no mode '9999'",
        "speex-5": "no rate 5",
        "amrwb-7": "no mode '7'",
        "folder:x@fast": "'fast' is not a number",
        f"hf:{tmp_path}": "holds no config.json",
    }.items():
        with pytest.raises(WavelexError, match=reason):
            peer(name)
    with pytest.raises(WavelexError, match="no rate '5'"):
        peer("lyra-5", tmp_path)


def test_all_leaves_out_what_is_missing_but_a_name_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "peer", lambda name, lyra: Original() if name.startswith("opus") else _absent(name))
    systems, missing = choose_peers("all")
    assert len(systems) == 3 and len(missing) == len(peers.EVERY) - 3
    assert missing["codec2-700C"] == "codec2-700C is away"
    with pytest.raises(WavelexError, match="speex-4 is away"):
        choose_peers("opus-6,speex-4")
    assert choose_peers("") == ([], {})


def _absent(name: str) -> System:
    raise WavelexError(f"{name} is away")


def test_ogg_packets_are_joined_across_segments_and_pages() -> None:
    def page(lacing: list[int]) -> bytes:
        return b"OggS" + bytes(22) + bytes([len(lacing)]) + bytes(lacing) + bytes(sum(lacing))

    data = page([19]) + page([255, 3, 40, 255]) + page([10])
    assert [len(packet) for packet in packets(data)] == [19, 258, 40, 265]
    assert payload_bits(data) == 8 * 305


def test_reconstructions_are_matched_by_name(tmp_path: Path) -> None:
    for name, level in (("deep/a.wav", 1.0), ("b.flac", 0.5), ("x/c.wav", 0.2), ("y/c.wav", 0.2)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_audio(tmp_path / name, Audio(level * voice(1, 24000)[None], 24000))
    system = peer(f"folder:{tmp_path}@1.5")
    coded = system.encode(SPEECH, "deep/a.flac")
    assert coded.bits == 3000 and len(system.decode(coded.data)) == 16000
    assert np.abs(system.decode(system.encode(SPEECH, "other/b.wav").data)).max() < 0.6 * np.abs(system.decode(coded.data)).max()
    assert system.encode(SPEECH, "y/c.wav").data
    assert peer(f"folder:{tmp_path}").encode(SPEECH, "b.wav").bits is None
    with pytest.raises(WavelexError, match=r"holds no reconstruction of d.wav; name it d.wav"):
        system.encode(SPEECH, "d.wav")
    with pytest.raises(WavelexError, match=r"holds 2 reconstructions of z/c.wav; leave one"):
        system.encode(SPEECH, "z/c.wav")
    with pytest.raises(WavelexError, match="is not a folder of reconstructions"):
        peer(f"folder:{tmp_path / 'nowhere'}")


def test_other_reconstructions_of_the_same_size_are_another_system(tmp_path: Path) -> None:
    abouts = []
    for seed in (0, 1):
        folder = tmp_path / str(seed) / "page"
        folder.mkdir(parents=True)
        write_audio(folder / "a.wav", Audio(voice(1, seed=seed)[None], 16000))
        abouts.append(peer(f"folder:{folder}").about)
    assert abouts[0] != abouts[1] and abouts[0]["folder"] == abouts[1]["folder"]


def tiny_checkpoint(kind: str, folder: Path) -> Path:
    if kind == "encodec":
        config = transformers.EncodecConfig(num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=64, target_bandwidths=[0.9, 1.8])
        model: transformers.PreTrainedModel = transformers.EncodecModel(config)
    elif kind == "dac":
        sizes = {"encoder_hidden_size": 4, "decoder_hidden_size": 32, "hidden_size": 64, "codebook_size": 64, "n_codebooks": 4}
        model = transformers.DacModel(transformers.DacConfig(**sizes))
    else:
        small = {"num_filters": 4, "hidden_size": 32, "codebook_size": 64, "codebook_dim": 16, "vector_quantization_hidden_dimension": 16}
        transformer = {"num_hidden_layers": 1, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
        model = transformers.MimiModel(transformers.MimiConfig(**small, **transformer, num_quantizers=4, upsample_groups=32))
    model.save_pretrained(folder / kind)
    return folder / kind


@pytest.mark.parametrize("kind", ["encodec", "dac", "mimi"])
def test_codecs_of_transformers_decode_from_their_bytes(kind: str, tmp_path: Path) -> None:
    folder = tiny_checkpoint(kind, tmp_path)
    system = peer(f"hf:{folder}@2")
    coded = system.encode(SPEECH, "clip")
    assert coded.codes is not None and coded.codes.shape[0] == 2 == len(system.codebook_sizes)
    assert coded.bits == coded.codes.size * 6 and len(coded.data) == 8 + -(-coded.codes.size * 6 // 8)
    heard = system.decode(coded.data)
    assert abs(len(heard) - len(SPEECH)) < 320 and np.isfinite(heard).all()
    np.testing.assert_array_equal(peer(f"hf:{folder}").encode(SPEECH, "clip").codes[:2], coded.codes)  # type: ignore[index]
    assert system.about["class"].lower().startswith(kind) and len(system.about["weights"]) == 16
    with pytest.raises(WavelexError, match="99 codebooks asked for"):
        peer(f"hf:{folder}@99")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WavelexError, match="is a 'bert' model; the benchmark knows encodec, dac, mimi, xcodec"):
        peer(f"hf:{tmp_path}")


def test_versions_come_from_the_system_when_it_can_say(monkeypatch: pytest.MonkeyPatch) -> None:
    debian_version.cache_clear()
    if shutil.which("dpkg-query"):
        assert debian_version("dpkg")[0].isdigit() and debian_version("no-such-package-at-all") == "unknown"
    debian_version.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    assert debian_version("dpkg") == "unknown"
    debian_version.cache_clear()


def test_delays_of_peers_are_found() -> None:
    late = np.pad(SPEECH, (137, 0))[: len(SPEECH)]
    assert find_delay(SPEECH, late)[0] == 137
