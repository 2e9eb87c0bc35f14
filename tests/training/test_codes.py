"""Codes to fit priors to: searched as they will be coded, with stretches held out that nothing is fitted to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import make_codec, voice, with_prior
from torch import Tensor

from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.tokens.tokens import AudioTokens
from wavelex.training import codes as module
from wavelex.training.codes import LEAST_CLIPS, bits_a_code, collect_codes, present_search


def recordings(seconds: float) -> SimpleNamespace:
    return SimpleNamespace(samples=(voice(seconds) * 32767).astype(np.int16))


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def priced() -> Codec:
    return with_prior(make_codec())


@pytest.mark.parametrize("effort", [2, 3])
def test_codes_are_those_that_a_file_would_have_with_the_present_prior(priced: Codec, effort: int) -> None:
    found = collect_codes(priced, recordings(12.0), 1, effort, quiet)
    clip = torch.from_numpy(recordings(12.0).samples[:19_200].astype(np.float32) / 32768)
    expected = priced.encode(clip, effort=effort).codes[0]
    assert np.array_equal(found.fitted[0], expected)
    plain = collect_codes(Codec(priced.model, "tiny"), recordings(12.0), 1, effort, quiet)
    assert (plain.fitted != found.fitted).mean() > 0.01
    # Dearer codes buy nearness: with the prior that they were searched with, searched codes are the smaller ones.
    prior = priced.priors.stored[0].prior
    assert bits_a_code(prior, found.fitted) < bits_a_code(prior, plain.fitted)


def test_held_out_stretches_are_in_no_turn(priced: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = SimpleNamespace(samples=np.arange(60 * 16_000) % 30_000 // 1 + 1)
    seen: list[tuple[int, int]] = []

    class Reading:
        def __len__(self) -> int:
            return len(audio.samples)

        def __getitem__(self, piece: slice) -> np.ndarray:
            seen.append((piece.start, piece.stop))
            return np.zeros(piece.stop - piece.start, np.int16)

    def silent(codec: Codec, search: object, pieces: np.ndarray) -> np.ndarray:
        return np.zeros((len(pieces), 8, 300), np.int16)

    monkeypatch.setattr(module, "_codes", silent)
    found = collect_codes(priced, SimpleNamespace(samples=Reading()), 3, 0, quiet)
    held = LEAST_CLIPS - 1
    begin = seen[held][0]
    others = [end for index, (_, end) in enumerate(seen) if index != held]
    assert len(found.held_out) == 1 and len(found.fitted) == held + 2 * (held - 1) and max(others) <= begin


def test_bits_are_those_of_a_file(priced: Codec) -> None:
    codes = np.random.default_rng(0).integers(0, 1024, (8, 200))
    tokens = AudioTokens.from_codes(codes, priced)
    prior = priced.priors.stored[0].prior
    assert bits_a_code(prior, codes[None]) == pytest.approx(8 * len(tokens.to_bytes("neural")) / codes.size, rel=0.05)


def test_an_effort_that_looks_ahead_is_refused(priced: Codec) -> None:
    with pytest.raises(WavelexError, match="waits for later samples"):
        present_search(priced, 4)


def test_gradients_play_no_part(priced: Codec) -> None:
    with torch.enable_grad():
        found = collect_codes(priced, recordings(11.0), 2, 0, quiet)
    assert isinstance(found.fitted, np.ndarray) and not isinstance(found.fitted, Tensor) and found.fitted.dtype == np.int32
