"""Many short signals at once: those of like length share a pass through the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from wavelex.audio.resampling import Resampler
from wavelex.audio.samples import Audio
from wavelex.codec.concealment import Concealer
from wavelex.codec.long_signals import Source, SourceReader, fit, mixed
from wavelex.codec.model import CodecModel
from wavelex.codec.streams import arrived
from wavelex.decoders.base import Condition
from wavelex.search.base import FrameSearch
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.tokens import LOST, AudioTokens

SECONDS_AT_ONCE = 16.0
"""Of a pass, its padding included: more is slower on a CPU, whose caches it leaves, and takes memory."""


def encode_together(
    model: CodecModel, search: FrameSearch, sources: Sequence[Source], sample_rate: int | None
) -> list[tuple[np.ndarray, int, int]]:
    """Codes (codebooks, frames), sample rate and length in samples of each source, mixed to the channels of the model."""
    clips, rates, lengths = [], [], []
    for source in sources:
        with SourceReader(source, sample_rate, model.sample_rate) as opened:
            resampler = Resampler(opened.sample_rate, model.sample_rate, model.channels)
            blocks = [mixed(block, model.channels, opened.name) for block in opened.blocks()]
            ready = [resampler.push(block) for block in blocks]
            ready.append(resampler.push(np.zeros((model.channels, 0), np.float32), last=True))
            clips.append(np.concatenate(ready, axis=1))
            rates.append(opened.sample_rate)
            lengths.append(sum(block.shape[1] for block in blocks))
    codes = [np.zeros((search.codebooks, 0), np.int64)] * len(clips)
    for group in _groups([clip.shape[1] for clip in clips], model):
        padded = np.zeros((len(group), model.channels, max(clips[index].shape[1] for index in group)), np.float32)
        for row, index in zip(padded, group, strict=True):
            row[:, : clips[index].shape[1]] = clips[index]
        with torch.inference_mode():
            search.begin()
            found = search.choose(model.latents(torch.from_numpy(padded).to(model.device))).cpu().numpy()
        for row, index in zip(found, group, strict=True):
            codes[index] = row[:, : -(-clips[index].shape[1] // model.hop_length)]
    return list(zip(codes, rates, lengths, strict=True))


def decode_together(model: CodecModel, prior: Prior | None, tokens: Sequence[AudioTokens]) -> list[Audio]:
    """The audio of each at its source's sample rate; LOST frames are concealed if there is a prior."""
    rows = [row for item in tokens for row in item.codes]
    samples = [np.zeros((model.channels, 0), np.float32)] * len(rows)
    for group in _groups([row.shape[1] * model.hop_length for row in rows], model):
        frames = max(rows[index].shape[1] for index in group)
        if not frames:
            continue
        codes = np.full((len(group), rows[group[0]].shape[0], frames), LOST)
        for target, index in zip(codes, group, strict=True):
            target[:, : rows[index].shape[1]] = rows[index]
        with torch.inference_mode():
            latents = model.quantizer.decode(torch.from_numpy(codes).to(model.device))
            heard = np.ones((len(group), frames * model.hop_length), np.float32)
            for place, index in enumerate(group):
                if (rows[index][0] == LOST).any():
                    row, count = rows[index][None], rows[index].shape[1]
                    gains = arrived(row, model.hop_length)
                    if prior:
                        filled, gains = Concealer(model.quantizer, prior, 1, model.frame_rate).fill(row, model.hop_length)
                        latents[place, :, :count] = filled[0]
                    heard[place, : count * model.hop_length] = gains[0]
            decoded = model.synthesize(latents, Condition(codebooks=codes.shape[1])).float().cpu().numpy() * heard[:, None]
        for row, index in zip(decoded, group, strict=True):
            samples[index] = row[:, : rows[index].shape[1] * model.hop_length]
    found, start = [], 0
    for item in tokens:
        channels = np.concatenate(samples[start : start + item.streams])
        start += item.streams
        resampled = Resampler(model.sample_rate, item.source_rate, len(channels)).push(channels, last=True)
        found.append(Audio(fit(resampled, item.length), item.source_rate))
    return found


def _groups(lengths: Sequence[int], model: CodecModel) -> Iterator[list[int]]:
    """Places of signals of so many samples, those that go together: of like length, and no more than are worth a pass.

    Of one length for a model that pads: its padding must not be that of another signal's end.
    """
    group: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist():
        full = (len(group) + 1) * lengths[index] > SECONDS_AT_ONCE * model.sample_rate
        if group and (full or (model.pads and lengths[index] != lengths[group[0]])):
            yield group
            group = []
        group.append(index)
    if group:
        yield group
