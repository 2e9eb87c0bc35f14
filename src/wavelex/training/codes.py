"""Codes of recordings to fit a token prior to, with some held out to measure it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from wavelex.codec.codec import Codec
from wavelex.errors import WavelexError
from wavelex.search.base import FrameSearch
from wavelex.search.effort import choose_effort
from wavelex.search.make import Parts, frame_search
from wavelex.search.rate_distortion import PriceTables
from wavelex.tokens.entropy.blocks import LANE_FRAMES, ModelledCoder
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.format.header import block_frames_at
from wavelex.training.data import PackedAudio, random_gains

CLIP_SECONDS = 20.0
"""Of a clip; shorter where there is little to cut."""
CLIPS_AT_ONCE = 8
LEAST_CLIPS = 10
HELD_OUT = 0.05
"""Share of the clips that nothing is fitted to."""
MOST_HELD_OUT = 16


@dataclass(frozen=True)
class Codes:
    """Of clips, (clips, codebooks, frames) int32 each."""

    fitted: np.ndarray
    held_out: np.ndarray
    """Of other stretches of the recordings, as they are."""


def present_search(codec: Codec, effort: int) -> FrameSearch:
    """The search that such an effort means for the codec, weighing bits by its present neural prior where it has one.

    Raises WavelexError for an effort that looks ahead.
    """
    chosen = choose_effort(effort)
    if chosen.synthesizes:
        raise WavelexError(f"effort {effort} waits for later samples; codes for a prior take less")
    model = codec.model
    stored = codec.priors.for_coding(codec.weights_hash)[1]
    priced = stored is not None and isinstance(stored.prior, NeuralPrior) and model.quantizer.additive
    prices = PriceTables(model.quantizer, stored.prior) if priced else None  # type: ignore[union-attr,arg-type]
    parts = Parts(model.quantizer, model.decoder, model.sample_rate, prices)
    return frame_search(parts, codec.codebooks, chosen, block_frames_at(codec.frame_rate))


def collect_codes(codec: Codec, audio: PackedAudio, turns: int, effort: int, progress: Callable[[int, int], None]) -> Codes:
    """Codes of the recordings `turns` times: as they are, then at other gains and offsets. What no whole clip holds is left out.

    Raises WavelexError for recordings too short to be cut into clips, and as `present_search` does.
    """
    search, hop = present_search(codec, effort), codec.hop_length
    length = min(int(CLIP_SECONDS * codec.sample_rate), len(audio.samples) // LEAST_CLIPS) // hop * hop
    if length < LANE_FRAMES * hop:
        least = LEAST_CLIPS * LANE_FRAMES * hop / codec.sample_rate
        raise WavelexError(
            f"{len(audio.samples) / codec.sample_rate:.1f} s of recordings are too few for a prior; give {least:.0f} s or more"
        )
    clips = len(audio.samples) // length
    held = min(MOST_HELD_OUT, max(1, int(HELD_OUT * clips)))
    firsts = np.arange(clips) * length
    # A clip at another offset reaches into the next one, so that the last before those held out is left out.
    turned = firsts[: clips - held - 1]
    rng = np.random.default_rng(0)
    plan = [(firsts, False)] + [(turned + int(rng.integers(1, codec.sample_rate)), True) for _ in range(turns - 1)]
    total, done, found = sum(len(starts) for starts, _ in plan), 0, []
    for starts, changed in plan:
        for begin in range(0, len(starts), CLIPS_AT_ONCE):
            at = starts[begin : begin + CLIPS_AT_ONCE]
            pieces = np.stack([audio.samples[start : start + length] for start in at]).astype(np.float32) / 32768
            if changed:
                pieces = pieces * random_gains(rng, pieces)
            found.append(_codes(codec, search, pieces))
            done += len(at)
            progress(done, total)
    codes = np.concatenate(found)
    return Codes(np.concatenate([codes[: clips - held], codes[clips:]]), codes[clips - held : clips])


def _codes(codec: Codec, search: FrameSearch, pieces: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        samples = torch.from_numpy(pieces.astype(np.float32))[:, None].to(codec.device)
        search.begin()
        found: np.ndarray = search.choose(codec.model.latents(samples)).cpu().numpy().astype(np.int32)
    return found


def bits_a_code(prior: Prior, codes: np.ndarray) -> float:
    """What codes (clips, codebooks, frames) take once coded with a prior, in bits each: of files, not of a formula."""
    coder = ModelledCoder(prior, codes.shape[1])
    return 8 * sum(len(coder.encode(clip[None].astype(np.int64))) for clip in codes) / codes.size
