from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import make_codec, voice

from wavelex.bench.systems.own import doubling, label, own
from wavelex.codec.checkpoint import save_codec
from wavelex.codec.hub import load
from wavelex.errors import WavelexError
from wavelex.tokens.tokens import AudioTokens


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_codec(path, make_codec().model, "tiny")
    return str(path)


def test_the_bytes_are_a_token_file_and_the_sound_is_the_codecs(model: str) -> None:
    samples, codec = voice(1.5), load(model)
    for system in own(model, [1, 4]):
        copy = pickle.loads(pickle.dumps(system))
        coded = copy.encode(samples, "clip")
        tokens = AudioTokens.from_bytes(coded.data)
        assert tokens.codebooks == system.codebooks == len(system.codebook_sizes)
        assert 75 * 10 * system.codebooks <= coded.bits <= 75 * 10 * system.codebooks + 96 and 8 * len(coded.data) > coded.bits
        np.testing.assert_array_equal(coded.codes, tokens.codes[0])
        np.testing.assert_array_equal(copy.decode(coded.data), codec.decode(codec.encode(samples, codebooks=system.codebooks)).samples[0])
    assert [system.name for system in own(model, [1, 4])] == ["tiny@1", "tiny@4"]
    assert own(model, [1])[0].about["weights"] == codec.weights_hash


def test_weights_that_have_changed_are_loaded_anew(tmp_path: Path) -> None:
    path, found = tmp_path / "a.safetensors", []
    for seed in (1, 2):
        save_codec(path, make_codec(seed).model, "a")
        found.append(own(str(path), [1])[0].about["weights"])
    assert found[0] != found[1]


def test_every_count_that_a_codec_has_is_taken_unless_some_are_given(model: str) -> None:
    assert [system.codebooks for system in own(model)] == [1, 2, 4, 8]
    assert [doubling(most) for most in (1, 2, 3, 9, 32)] == [[1], [1, 2], [1, 2, 3], [1, 2, 4, 8, 9], [1, 2, 4, 8, 16, 32]]


def test_more_frames_than_packets_were_counted_are_heard(model: str) -> None:
    system = own(model, [8])[0]
    data = system.encode(voice(1), "clip").data
    np.testing.assert_array_equal(system.decode(data, np.zeros(47, bool)), system.decode(data))


def test_lost_packets_are_lost_frames(model: str) -> None:
    system, samples = own(model, [8])[0], voice(2)
    data = system.encode(samples, "clip").data
    lost = np.zeros(100, bool)
    lost[40:60] = True
    heard, whole = system.decode(data, lost), system.decode(data)
    assert not heard[41 * 320 : 59 * 320].any() and whole[41 * 320 : 59 * 320].any()
    np.testing.assert_array_equal(heard[: 38 * 320], whole[: 38 * 320])


@pytest.mark.parametrize(
    ("model", "name"),
    [("speech-16k", "speech-16k"), ("runs/a/best.safetensors", "a"), ("runs/b", "b"), ("x/mine.v2.safetensors", "mine.v2")],
)
def test_two_runs_of_one_design_have_two_names(model: str, name: str) -> None:
    assert label(model) == name


def test_rates_that_do_not_exist_are_refused(model: str) -> None:
    with pytest.raises(WavelexError, match="9 codebooks asked for"):
        own(model, [9])
    with pytest.raises(WavelexError, match="--target needs a token prior, which tiny has not; wavelex prior fits one"):
        own(model, [1], targets=[1000.0])
    with pytest.raises(WavelexError, match="no model 'none'"):
        own("none", [1])


def test_damaged_bytes_are_refused_not_decoded(model: str) -> None:
    system = own(model, [2])[0]
    data = bytearray(system.encode(voice(1), "clip").data)
    data[-5] ^= 1
    with pytest.raises(WavelexError, match="damaged"):
        system.decode(bytes(data))
