"""The search that weighs bits: never dearer than the nearest codes, the same however the latents are cut, and fewer bits in the file."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from conftest import make_codec, voice
from hypothesis import given, settings
from hypothesis import strategies as st

import wavelex
from wavelex.audio.resampling import resample
from wavelex.bench.run.sample import speak
from wavelex.search.rate_distortion import NARROW, PriceTables, RateDistortionSearch
from wavelex.tokens.entropy.blocks import LANE_FRAMES
from wavelex.tokens.entropy.priors.inputs import all_contexts, partial_sums, whole_vectors
from wavelex.tokens.entropy.priors.network import PriorNetwork, whole_prior
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.range_coder import TOTAL

CODEC = make_codec()
VECTORS = whole_vectors(torch.stack([CODEC.model.quantizer.code_vectors(book) for book in range(8)]).numpy())


def make_prior() -> NeuralPrior:
    torch.manual_seed(3)
    network = PriorNetwork(8, 1024, VECTORS.shape[2], 16)
    with torch.no_grad():
        # Codes must differ in what they cost for the choice to matter.
        network.out_bias.copy_(torch.randn_like(network.out_bias))
    return whole_prior(network, VECTORS)


PRIOR = make_prior()
LATENTS = torch.cat([CODEC.model.latents(torch.from_numpy(voice(2.7, seed=s))[None, None]).detach() for s in (1, 2)])


def search(codebooks: int = 8, widths: tuple[int, ...] = (4,), block_frames: int = 200) -> RateDistortionSearch:
    return RateDistortionSearch(CODEC.model.quantizer, PriceTables(CODEC.model.quantizer, PRIOR), codebooks, widths, block_frames)


def costs(codes: torch.Tensor, past: torch.Tensor, chosen: RateDistortionSearch) -> np.ndarray:
    """Nats and weighted errors of codes (streams, codebooks, frames), added up by frame, from the prior that codes the files."""
    streams, books, frames = codes.shape
    errors = (CODEC.model.quantizer.decode(codes) - LATENTS[:, :, :frames]).square().sum(1).numpy()
    found = chosen._tables.weights[books - 1] * errors
    for stream in range(streams):
        for begin in range(0, frames, LANE_FRAMES):
            lane = slice(begin, begin + LANE_FRAMES)
            behind, here = (x[stream, :, None, lane].numpy() for x in (past, codes))
            contexts = all_contexts(partial_sums(behind, VECTORS)[-1], (behind >= 0).sum(axis=0), 8)[0]
            sums = partial_sums(here, VECTORS)
            seen = PRIOR.from_contexts(contexts, books)
            for book in range(books):
                shares = PRIOR.frequencies(book, seen[:, book], sums[book, 0]) / TOTAL
                chances = shares[np.arange(len(shares)), here[book, 0]]
                found[stream, lane] -= np.log(np.maximum(chances, 0.5 / TOTAL))
    return found


@pytest.mark.parametrize("codebooks", [1, 3, 8])
def test_no_frame_costs_more_than_with_the_nearest_codes_or_a_narrower_beam(codebooks: int) -> None:
    nearest = CODEC.model.quantizer.encode(LATENTS, codebooks, NARROW)
    chosen = search(codebooks)
    plain, narrow, wide = (
        costs(codes, nearest, chosen) for codes in (nearest, chosen.choose(LATENTS), search(codebooks, (4, 8)).choose(LATENTS))
    )
    # The search knows the coder's chances but for their roundings.
    slack = codebooks / 32 + 1e-5 * plain
    assert (narrow <= plain + slack).all() and (wide <= narrow + slack).all()
    assert narrow.mean() < plain.mean() - 0.05


@settings(max_examples=8)
@given(cuts=st.lists(st.integers(0, 134), max_size=4), codebooks=st.sampled_from([2, 8]), block_frames=st.sampled_from([3, 60, 75, 200]))
def test_where_the_latents_are_cut_makes_no_difference(cuts: list[int], codebooks: int, block_frames: int) -> None:
    whole = search(codebooks, block_frames=block_frames).choose(LATENTS)
    running = search(codebooks, block_frames=block_frames)
    bounds = [0, *sorted(cuts), LATENTS.shape[2]]
    pieces = [running.choose(LATENTS[:, :, a:b]) for a, b in itertools.pairwise(bounds)]
    assert torch.equal(torch.cat(pieces, dim=2), whole)
    running.begin()
    assert torch.equal(running.choose(LATENTS[:, :, :60]), whole[:, :, :60])


@pytest.mark.parametrize("block_frames", [3, 50, 75, 200])
def test_the_past_is_that_of_the_blocks_in_which_the_codes_will_be_coded(block_frames: int) -> None:
    codes = CODEC.model.quantizer.encode(LATENTS, 8, NARROW).numpy()
    found = search(block_frames=block_frames)._contexts(codes)
    for begin in range(0, codes.shape[2], block_frames):
        block = codes[:, :, begin : begin + block_frames]
        for start in range(0, block.shape[2], LANE_FRAMES):
            lane = block[:, :, start : start + LANE_FRAMES].transpose(1, 0, 2)
            known = all_contexts(partial_sums(lane, VECTORS)[-1], np.full(lane.shape[1:], 8), 8)
            assert np.array_equal(found[:, begin + start : begin + start + lane.shape[2]], known)


def test_frames_have_the_codebooks_they_are_given() -> None:
    counts = torch.arange(LATENTS.shape[2]).remainder(8).add(1).expand(2, -1)
    codes = search().choose(LATENTS, counts)
    assert torch.equal((codes >= 0).sum(1), counts)
    assert torch.equal(torch.arange(8)[None, :, None] < counts[:, None], codes >= 0)


@pytest.mark.parametrize(("codebooks", "share"), [(2, 0.97), (8, 0.95)])
def test_a_file_of_speech_is_smaller_at_hardly_more_error(codebooks: int, share: float) -> None:
    codec = wavelex.load("speech-16k")
    spoken = speak()
    samples = resample(spoken.mono()[None], spoken.sample_rate, codec.sample_rate)[0]
    latents = codec.model.latents(torch.from_numpy(samples)[None, None]).detach()
    nearest, cheaper = (codec.encode(samples, codebooks=codebooks, effort=effort) for effort in (1, 2))
    errors = [float((codec.model.quantizer.decode(torch.from_numpy(t.codes)) - latents).square().sum()) for t in (nearest, cheaper)]
    assert len(cheaper.to_bytes()) < share * len(nearest.to_bytes())
    assert errors[1] < 1.1 * errors[0]
    stream = codec.stream_encoder(codebooks)
    pieces = [stream.push(samples[i : i + 5000]) for i in range(0, len(samples), 5000)]
    assert np.array_equal(np.concatenate([*pieces, stream.flush()], axis=2), cheaper.codes)
