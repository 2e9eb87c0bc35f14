"""A codec is its weights as they are now, with the priors that it was loaded with and no others."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, make_codec, voice, with_prior

import wavelex
from wavelex.codec.checkpoint import load_codec, save_codec
from wavelex.codec.codec import Codec
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.priors.store import save_prior
from wavelex.tokens.tokens import AudioTokens


def change_in_place(codec: Codec) -> None:
    next(codec.model.parameters()).data.view(-1)[3] += 0.5


def swap_two(codec: Codec) -> None:
    weights = codec.model.decoder.network.layers[0].linear.weight.data
    weights[[0, 1]] = weights[[1, 0]].clone()


def write_through_numpy(codec: Codec) -> None:
    codec.model.quantizer.layers[0].total.numpy()[5, 1] += 1


@pytest.mark.parametrize("change", [change_in_place, swap_two, write_through_numpy])
def test_the_identity_follows_weights_that_change_in_place(change: object) -> None:
    codec = make_codec()
    tokens = codec.encode(voice(0.2))
    before = codec.weights_hash
    change(codec)  # type: ignore[operator]
    assert codec.weights_hash != before
    with pytest.raises(WavelexError, match="decode with the model that encoded it"):
        codec.decode(tokens)


def test_fresh_codecs_are_told_apart() -> None:
    first, second = (Codec(build("speech_16k", TINY)) for _ in range(2))
    assert len({first.weights_hash, second.weights_hash, "0" * 16}) == 3


def test_casting_to_where_nothing_is_lost_keeps_the_identity() -> None:
    codec = wavelex.load()
    before = codec.weights_hash
    assert codec.to(torch.float64).weights_hash == before
    assert codec.half().weights_hash == before
    assert codec.to(torch.float32).weights_hash == before
    assert codec.to(torch.bfloat16).weights_hash != before


def refitted(codec: Codec) -> NeuralPrior:
    """Another neural prior for the shipped codec: the shipped one with other chances."""
    shipped = codec.priors.for_coding(codec.weights_hash, "neural")[1]
    assert shipped and isinstance(shipped.prior, NeuralPrior)
    bias = np.random.default_rng(0).integers(-40_000, 40_000, shipped.prior.tensors["out_bias"].shape)
    return NeuralPrior({**shipped.prior.tensors, "out_bias": bias.astype(np.int32)})


def test_a_copy_has_the_priors_beside_it_and_leaves_other_codecs_theirs(tmp_path: Path) -> None:
    codec, samples = wavelex.load(), voice(1.0)
    before = codec.encode(samples)
    save_codec(tmp_path / "copy.safetensors", codec.model, "copy")
    name = save_prior(tmp_path / "copy.neural.prior.safetensors", refitted(codec), codec.weights_hash)
    copy = load_codec(tmp_path / "copy.safetensors")
    theirs = copy.encode(samples)
    assert theirs.header().prior == name != before.header().prior
    assert not np.array_equal(theirs.codes, before.codes)
    after = codec.encode(samples)
    assert np.array_equal(after.codes, before.codes) and after.to_bytes() == before.to_bytes()
    assert np.array_equal(AudioTokens.from_bytes(theirs.to_bytes(), copy).codes, theirs.codes)
    with pytest.raises(WavelexError, match="is not here"):
        AudioTokens.from_bytes(theirs.to_bytes())


def test_a_prior_is_not_used_for_weights_that_it_was_not_made_for() -> None:
    codec = with_prior(make_codec())
    assert codec.encode(voice(0.2)).header().coding == "neural"
    change_in_place(codec)
    assert codec.encode(voice(0.2)).header().coding == "packed"


PROBE = """
import pickle, sys, numpy as np
sys.path.insert(0, {tests!r})
from conftest import voice
codec, tokens = pickle.load(open({path!r}, "rb"))
assert np.array_equal(codec.encode(voice(1.0)).codes, tokens.codes)
assert codec.encode(voice(1.0)).to_bytes() == tokens.to_bytes()
"""


@pytest.mark.parametrize("shipped", [True, False])
def test_a_pickled_codec_is_the_same_in_another_process(shipped: bool, tmp_path: Path) -> None:
    codec = wavelex.load() if shipped else with_prior(make_codec())
    tokens = codec.encode(voice(1.0))
    data = pickle.dumps((codec, tokens))
    assert not shipped or len(pickle.dumps(tokens)) < 20_000
    (tmp_path / "codec").write_bytes(data)
    script = PROBE.format(tests=str(Path(__file__).parents[1]), path=str(tmp_path / "codec"))
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_prices_are_of_the_codebooks_as_they_are() -> None:
    codec = with_prior(make_codec())
    latents = codec.model.latents(torch.from_numpy(voice(1.0))[None, None]).detach()
    codec.encode(voice(1.0))
    with torch.no_grad():
        for layer in codec.model.quantizer.layers:
            layer.total.copy_(layer.total[torch.randperm(layer.size)])
    moved = Codec(codec.model, "", replace(codec.priors, stored=(replace(codec.priors.stored[0], weights_hash=codec.weights_hash),)))
    moved._prices = codec._prices
    errors = [
        float((moved.model.quantizer.decode(torch.from_numpy(moved.encode(voice(1.0), effort=effort).codes)) - latents).square().mean())
        for effort in (1, 2)
    ]
    assert errors[1] < 2 * errors[0]
