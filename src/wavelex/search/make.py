"""Which search an effort and an aim mean for a codec with or without a neural prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from wavelex.decoders.base import Decoder
from wavelex.errors import WavelexError
from wavelex.objectives.reconstruction import Reconstruction, ReconstructionWeights
from wavelex.quantizers.base import Quantizer
from wavelex.search.base import CodeSearch, FrameSearch
from wavelex.search.effort import STREAMING_EFFORT, Effort
from wavelex.search.nearest import NearestSearch
from wavelex.search.rate_distortion import PriceTables, RateDistortionSearch
from wavelex.search.refine import Refiner, RefineSearch
from wavelex.search.target import Budget, Quality
from wavelex.search.variable_rate import VariableRateSearch


@dataclass(frozen=True)
class Parts:
    """What of a codec a search needs."""

    quantizer: Quantizer
    decoder: Decoder
    sample_rate: int
    prices: PriceTables | None
    """Of the neural prior that the codes will be coded with; without one, bits are not weighed."""


def frame_search(parts: Parts, codebooks: int, effort: Effort, block_frames: int) -> FrameSearch:
    """One that adds no latency. The codes will be coded in blocks of so many frames."""
    if effort.priced and parts.prices and parts.quantizer.additive:
        return RateDistortionSearch(parts.quantizer, parts.prices, codebooks, effort.priced, block_frames)
    return NearestSearch(parts.quantizer, codebooks, effort.beams)


def make_search(parts: Parts, codebooks: int, effort: Effort, goal: Budget | Quality | None, block_frames: int) -> CodeSearch:
    """Any search. Raises WavelexError for a refinement of a codec with superframes, whose decoder keeps another time than its codes."""
    search = frame_search(parts, codebooks, effort, block_frames)
    refiner: Refiner | None = None
    if effort.synthesizes:
        if parts.quantizer.layout.superframe > 1:
            raise WavelexError(f"efforts above {STREAMING_EFFORT} are for codecs of one frame rate")
        # What is made in inference mode could take no part in a gradient.
        with torch.inference_mode(False):
            objective = Reconstruction(parts.sample_rate, ReconstructionWeights()).to(next(parts.decoder.parameters()).device)
        refiner = Refiner(parts.quantizer, parts.decoder, objective, search, effort)
    hop = parts.decoder.hop_length * parts.quantizer.layout.superframe
    frame_rate = parts.sample_rate / hop
    if goal:
        return VariableRateSearch(parts.quantizer, search, refiner, goal, hop, frame_rate)
    return RefineSearch(refiner, frame_rate) if refiner else search
