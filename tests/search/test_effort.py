"""Levels of effort: each at least as good as the one below by what it minimises, in stretches or whole, files of one kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import make_codec, voice, with_prior

from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.objectives.reconstruction import Reconstruction, ReconstructionWeights
from wavelex.search import refine
from wavelex.search.effort import LEVELS, STREAMING_EFFORT

CODEC = make_codec()
PRICED = with_prior(make_codec())
BOTH = pytest.mark.parametrize("codec", [CODEC, PRICED], ids=["without a prior", "with one"])


def perceptual_loss(codec: Codec, samples: np.ndarray, effort: int, codebooks: int) -> float:
    heard = codec.decode(codec.encode(samples, codebooks=codebooks, effort=effort)).samples
    # A codec's decoder is given whole frames, and so is the refinement.
    objective = Reconstruction(codec.sample_rate, ReconstructionWeights())
    losses = objective(*objective.analyse(torch.from_numpy(heard)[None], torch.from_numpy(samples)[None, None]))
    return float(torch.stack(list(losses.values())).sum())


@BOTH
@pytest.mark.parametrize("codebooks", [2, 8])
def test_each_level_is_at_least_as_good_as_the_one_below(codec: Codec, codebooks: int) -> None:
    samples = voice(2.0)
    losses = [perceptual_loss(codec, samples, level, codebooks) for level in range(STREAMING_EFFORT, 8)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.98 * losses[0]


def test_streaming_levels_lower_the_error_of_the_latents() -> None:
    samples = voice(3.0, seed=5)
    latents = CODEC.model.latents(torch.from_numpy(samples)[None, None])
    errors = []
    for level in range(STREAMING_EFFORT + 1):
        codes = torch.from_numpy(CODEC.encode(samples, effort=level).codes)
        errors.append(float((CODEC.model.quantizer.decode(codes) - latents).detach().square().sum()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0]


@BOTH
@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.3, 2.6])
def test_a_refined_file_has_every_frame_whatever_the_stretches(codec: Codec, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine, "STRETCH_SECONDS", 0.8)
    monkeypatch.setattr(refine, "AHEAD_SECONDS", 0.2)
    samples = np.stack([voice(seconds, seed=1), voice(seconds, seed=2)])
    tokens = codec.encode(samples, codebooks=3, effort=5, per_channel=True)
    assert tokens.codes.shape == (2, 3, -(-samples.shape[1] // 320))
    alone = codec.encode(samples[1], codebooks=3, effort=5)
    assert (tokens.codes[1] == alone.codes[0]).mean() > 0.99 if seconds else True


def test_what_is_refined_beyond_one_stretch_is_still_better(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine, "STRETCH_SECONDS", 1.0)
    assert perceptual_loss(CODEC, voice(4.0), 6, 4) < perceptual_loss(CODEC, voice(4.0), STREAMING_EFFORT, 4)


def test_a_stretch_is_judged_as_it_will_be_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine, "STRETCH_SECONDS", 2.0)
    monkeypatch.setattr(refine, "AHEAD_SECONDS", 0.0)
    heard: list[torch.Tensor] = []
    synthesize = refine.Refiner._synthesize

    def listen(refiner: refine.Refiner, latents: torch.Tensor) -> torch.Tensor:
        heard.append(synthesize(refiner, latents))
        return heard[-1]

    monkeypatch.setattr(refine.Refiner, "_synthesize", listen)
    # Every code of the second stretch is judged after the settled ones of the first: all that reaches into it must be among them.
    tokens = CODEC.encode(voice(4.0), effort=4, codebooks=2)
    whole = CODEC.decode(tokens).samples[0]
    begins = 100 * 320
    nearest = min(
        float(np.abs(h[0, -begins:].detach().numpy()[:8000] - whole[begins : begins + 8000]).max()) for h in heard[len(heard) // 2 :]
    )
    assert nearest < 1e-5


def test_levels_that_do_not_exist_or_cannot_stream_are_refused() -> None:
    for level in (-1, len(LEVELS)):
        with pytest.raises(WavelexError, match="effort"):
            CODEC.encode(voice(0.1), effort=level)
    with pytest.raises(WavelexError, match="waits"):
        CODEC.stream_encoder(effort=STREAMING_EFFORT + 1)
    with pytest.raises(WavelexError, match="a batch takes"):
        CODEC.encode_batch([voice(0.1)], effort=STREAMING_EFFORT + 1)


@BOTH
def test_refinement_works_where_gradients_are_off(codec: Codec) -> None:
    samples = voice(0.5)
    with torch.inference_mode():
        inside = codec.encode(samples, effort=5)
    assert np.array_equal(inside.codes, codec.encode(samples, effort=5).codes)


@BOTH
def test_samples_far_too_loud_still_have_codes(codec: Codec) -> None:
    samples = voice(0.5)
    assert codec.encode(samples * np.float32(8 / np.abs(samples).max()), effort=4).codes.shape == (1, 8, 25)


@pytest.mark.parametrize("effort", [2, 3])
def test_streams_channels_and_batches_are_coded_alike(effort: int) -> None:
    samples = np.stack([voice(2.5, seed=1), voice(2.5, seed=2)])
    together = PRICED.encode(samples, effort=effort, per_channel=True).codes
    alone = [PRICED.encode(row, effort=effort).codes[0] for row in samples]
    batch = [tokens.codes[0] for tokens in PRICED.encode_batch([samples[0], samples[1][:30_000]], effort=effort)]
    assert np.array_equal(together, np.stack(alone))
    assert np.array_equal(batch[0], alone[0]) and np.array_equal(batch[1][:, :90], alone[1][:, :90])
