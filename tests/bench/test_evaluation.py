from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import voice

from wavelex.audio import Audio, write_audio
from wavelex.bench.evaluation import score_clip, score_file, summarize, transcoder
from wavelex.bench.metrics.pesq import pesq_wideband
from wavelex.bench.metrics.stoi import stoi
from wavelex.bench.peers import peer
from wavelex.bench.peers.opus import ogg_packet_sizes
from wavelex.bench.pictures import compare
from wavelex.bench.sample import speak
from wavelex.codec import Codec
from wavelex.errors import WavelexError


@pytest.fixture(scope="module")
def speech() -> Audio:
    return speak()


def copy(audio: Audio) -> tuple[Audio, float]:
    return audio, 100.0


def test_the_spoken_sentence_is_speech(speech: Audio) -> None:
    assert 3 < speech.seconds < 10
    assert 0.1 < np.abs(speech.samples).max() <= 1


def test_identity_scores_best_and_noise_lowers(speech: Audio) -> None:
    rng = np.random.default_rng(0)

    def noisy(audio: Audio) -> tuple[Audio, float]:
        return Audio(audio.samples + 0.03 * rng.standard_normal(audio.samples.shape).astype(np.float32), audio.sample_rate), 100.0

    clean, worse = (score_clip("x", speech, system)[0] for system in (copy, noisy))
    assert clean.pesq == pytest.approx(4.644, abs=0.01)
    assert clean.stoi == pytest.approx(1.0, abs=1e-3)
    assert worse.pesq is not None and worse.pesq < 3
    assert worse.stoi is not None and worse.stoi < clean.stoi


def test_a_delay_is_removed_where_it_is_asked_for(speech: Audio) -> None:
    def late(audio: Audio) -> tuple[Audio, float]:
        return Audio(np.pad(audio.samples, ((0, 0), (240, 0))), audio.sample_rate), 100.0

    score = score_clip("x", speech, late, align=True)[0]
    assert score.delay == 240 and score.pesq == pytest.approx(4.644, abs=0.01)
    assert (score_clip("x", speech, late)[0].stoi or 0) < 0.99


def test_a_clip_that_cannot_be_scored_is_counted_not_scored() -> None:
    silent = score_clip("silence", Audio(np.zeros((1, 16000), np.float32), 16000), copy)[0]
    assert silent.pesq is None and silent.stoi is None
    assert "PESQ cannot score" in silent.error and "STOI cannot score" in silent.error
    good = score_clip("voice", speak(), copy)[0]
    summary = summarize("copy", [silent, good])
    assert (summary.clips, summary.scored) == (2, 1)
    assert summary.pesq == good.pesq


def test_metrics_refuse_in_words() -> None:
    with pytest.raises(WavelexError, match="PESQ cannot score this clip"):
        pesq_wideband(np.zeros(16000, np.float32), np.zeros(16000, np.float32))
    with pytest.raises(WavelexError, match="STOI cannot score this clip"):
        stoi(np.zeros(1000, np.float32), np.zeros(1000, np.float32))


def test_long_recordings_of_many_utterances_are_scored_in_pieces() -> None:
    """The reference code of PESQ overruns its tables on more than 50 utterances."""
    bursts = np.concatenate([np.concatenate([voice(0.5, seed=n % 3), np.zeros(8000, np.float32)]) for n in range(70)])
    assert pesq_wideband(bursts, bursts) == pytest.approx(4.644, abs=0.01)


def test_a_recording_without_samples_does_not_spoil_a_summary() -> None:
    empty = score_clip("empty", Audio(np.zeros((1, 0), np.float32), 16000), copy)[0]
    assert summarize("copy", [empty, empty]).scored == 0


def test_rates_of_a_codec_are_those_of_its_codes(tiny: Codec, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(voice(2, 48000)[None], 48000))
    score = score_file(tmp_path / "a.wav", transcoder(tiny, 2))
    assert score.bits / score.seconds == pytest.approx(1000)


def stand_in(folder: Path, name: str, body: str) -> None:
    """A program of that name that runs Python code with the files it is given as `source` and `target`."""
    script = folder / name
    script.write_text(f"#!{sys.executable}\nimport pathlib, shutil, sys\nsource, target = map(pathlib.Path, sys.argv[-2:])\n{body}\n")
    script.chmod(0o755)


def test_codec2_is_called_at_8_khz_and_its_frames_are_counted(speech: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        tmp_path, "c2enc", "target.write_bytes(bytes(6 * (source.stat().st_size // 640)))\nshutil.copy(source, target.with_suffix('.kept'))"
    )
    stand_in(tmp_path, "c2dec", "shutil.copy(source.with_suffix('.kept'), target)")
    monkeypatch.setenv("PATH", str(tmp_path))
    score = score_clip("x", speech, peer("codec2-1200"), align=True)[0]
    assert score.bits / score.seconds == pytest.approx(1200, rel=0.02)
    assert score.pesq is not None and score.pesq > 2.5


def test_a_peer_that_fails_says_why(speech: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "opusenc", "sys.exit('no such option')")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WavelexError, match="opusenc failed: no such option"):
        score_clip("x", speech, peer("opus-6"))


@pytest.mark.parametrize(("name", "program"), [("codec2-1200", "c2enc"), ("opus-6", "opusenc")])
def test_a_missing_peer_is_one_clear_line(name: str, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(WavelexError, match=f"{program} is not installed; apt-get install"):
        peer(name)


def test_unknown_peers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WavelexError, match="unknown peer 'mp3-64'"):
        peer("mp3-64")
    with pytest.raises(WavelexError, match="no mode '9999'"):
        peer("codec2-9999")


def test_ogg_packets_are_joined_across_segments_and_pages() -> None:
    def page(lacing: list[int]) -> bytes:
        return b"OggS" + bytes(22) + bytes([len(lacing)]) + bytes(lacing) + bytes(sum(lacing))

    assert ogg_packet_sizes(page([19]) + page([255, 3, 40, 255]) + page([10])) == [19, 258, 40, 265]


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    compare(tmp_path / "a.png", voice(1), {"copy": voice(1)}, 16000)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
