"""Codec: what users hold. Files, arrays and tensors to tokens, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wavelex.audio.samples import BLOCK_SECONDS, Audio
from wavelex.codec.batches import decode_together, encode_together
from wavelex.codec.identity import Identity, fingerprint
from wavelex.codec.long_signals import DecodedSignal, EncodedSignal, Source, SourceReader
from wavelex.codec.model import CodecModel
from wavelex.codec.options import EncodeOptions
from wavelex.codec.streams import StreamDecoder, StreamEncoder
from wavelex.decoders.base import Condition
from wavelex.errors import WavelexError
from wavelex.search.effort import DEFAULT_EFFORT, STREAMING_EFFORT, Effort, choose_effort
from wavelex.search.make import Parts, frame_search, make_search
from wavelex.search.rate_distortion import PriceTables
from wavelex.search.target import Budget, Quality, Target
from wavelex.tokens.entropy.blocks import COUNT_GROUP, ModelledCoder
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.neural import NeuralPrior
from wavelex.tokens.entropy.priors.store import Priors
from wavelex.tokens.format.header import block_frames_at
from wavelex.tokens.tokens import AudioTokens, check_codes


class Codec:
    """A model with a name and the token priors made for it.

    `model` is the plain torch module, for gradients and tensors. Everything here works without gradients, in inference mode.
    """

    def __init__(self, model: CodecModel, name: str = "", priors: Priors | None = None, notes: Mapping[str, Any] | None = None) -> None:
        self.model, self.name, self.priors, self.notes = model.eval(), name, priors or Priors(), dict(notes or {})
        self._identity = Identity(model)
        self._prices: tuple[object, PriceTables] | None = None

    @property
    def weights_hash(self) -> str:
        """16 hex digits that stand for the weights as they are now; tokens record it, and are decoded by the same weights only."""
        return self._identity()

    @property
    def sample_rate(self) -> int:
        return self.model.sample_rate

    @property
    def hop_length(self) -> int:
        return self.model.hop_length

    @property
    def frame_rate(self) -> float:
        return self.model.frame_rate

    @property
    def codebooks(self) -> int:
        return self.model.codebooks

    @property
    def codebook_sizes(self) -> list[int]:
        return self.model.codebook_sizes

    @property
    def latency(self) -> float:
        """Algorithmic latency in seconds: one frame and the look-ahead."""
        return self.model.latency

    @property
    def device(self) -> torch.device:
        return self.model.device

    def bitrate(self, codebooks: int) -> float:
        """Nominal bits a second of one stream with that many codebooks."""
        return self.model.bitrate(codebooks)

    def to(self, *args: Any, **kwargs: Any) -> Codec:
        """Move or cast the model, as `torch.nn.Module.to` does; gives this codec.

        `torch.float16` and `torch.float64` hold the shipped weights exactly; bfloat16 rounds them, which makes another model of it.
        """
        self.model.to(*args, **kwargs)
        return self

    def half(self) -> Codec:
        """`to(torch.float16)`."""
        return self.to(torch.float16)

    def encode(
        self,
        source: Source,
        sample_rate: int | None = None,
        codebooks: int | None = None,
        bitrate: float | str | None = None,
        per_channel: bool = False,
        effort: int = DEFAULT_EFFORT,
        target: Target | str | None = None,
    ) -> AudioTokens:
        """A file or samples to tokens.

        `source` is a path, an open file, Audio, or samples (T,) or (channels, T) in [-1, 1], array or tensor, at `sample_rate` (the
        codec's unless given). The rest is explained at EncodeOptions. Raises WavelexError for input that cannot be coded.
        """
        options = EncodeOptions(codebooks, bitrate, per_channel, effort, target)
        with SourceReader(source, sample_rate, self.sample_rate) as opened:
            encoding = self.encoded(opened, options)
            codes = np.concatenate(list(encoding), axis=2)
        return AudioTokens.from_codes(codes, self, opened.sample_rate, encoding.length)

    def encoded(self, source: SourceReader, options: EncodeOptions) -> EncodedSignal:
        """The codes of an open source, to iterate over without holding all of it (but with a `target`, which holds its latents)."""
        streams = source.channels if options.per_channel else 1
        effort, frames = choose_effort(options.effort), self.block_frames(options)
        if self.model.channels > 1 and options.per_channel:
            raise WavelexError(f"{self._who} codes the channels of a signal together; per_channel is for codecs of one channel")
        if self.model.channels > 1 and effort.synthesizes:
            raise WavelexError(f"effort {options.effort} listens to one channel; {self._who} takes 0 to {STREAMING_EFFORT}")
        codebooks = self.choose_codebooks(options.codebooks, options.bitrate)
        prior, goal = self._prior(options.coding), options.goal
        budget: Budget | Quality | None = goal if isinstance(goal, Quality) else None
        if goal is not None and prior is None:
            if options.coding == "packed":
                raise WavelexError("frames of varying size cannot be packed")
            raise WavelexError(f"frames of varying size need a token prior, which {self._who} has not; wavelex prior fits one")
        if goal is not None and prior is not None and not isinstance(goal, Quality):
            budget = Budget(goal, self.frame_rate, ModelledCoder(prior, codebooks, variable=True), frames)
        search = make_search(self._parts(prior), codebooks, effort, budget, frames)
        return EncodedSignal(source, StreamEncoder(self.model, search, streams, source.sample_rate), options.per_channel)

    def block_frames(self, options: EncodeOptions) -> int:
        """Frames that such a file codes together. Raises WavelexError for packets longer than a block."""
        most = block_frames_at(self.frame_rate)
        if options.packet_seconds is None:
            return most
        frames = max(1, round(options.packet_seconds * self.frame_rate))
        if frames > most:
            raise WavelexError(f"packets of {options.packet_seconds:g} s: give at most {most / self.frame_rate:g} s")
        return frames + -frames % COUNT_GROUP if options.goal is not None else frames

    def decode(
        self,
        tokens: AudioTokens | str | os.PathLike[str] | np.ndarray | Tensor,
        sample_rate: int | None = None,
        conceal: bool = True,
        condition: Condition | None = None,
    ) -> Audio:
        """Tokens, a `.wlx` file, or bare codes to audio.

        Of tokens and files exactly the encoded length, at the source's sample rate unless another is given. Bare codes are (codebooks,
        frames), or (batch, codebooks, frames) which gives an item a channel, or the two of a stereo codec; arrays or tensors on any
        device, such as a language model samples them. For LOST frames see `stream_decoder`. Raises WavelexError for tokens of another
        model or codes out of range.
        """
        if isinstance(tokens, (str, os.PathLike)):
            tokens = AudioTokens.load(tokens, codec=self)
        elif isinstance(tokens, AudioTokens):
            self.check(tokens, "tokens")
        else:
            tokens = AudioTokens.from_codes(tokens, self)
        step = max(1, int(BLOCK_SECONDS * self.frame_rate))
        pieces = (tokens.codes[:, :, i : i + step] for i in range(0, tokens.codes.shape[2], step))
        rate = sample_rate or tokens.source_rate
        decoded = list(self.decoded(pieces, tokens, rate, conceal, condition))
        return Audio(np.concatenate([np.zeros((tokens.streams * self.model.channels, 0), np.float32), *decoded], axis=1), rate)

    def decoded(
        self, pieces: Iterator[np.ndarray], tokens: AudioTokens, rate: int, conceal: bool = True, condition: Condition | None = None
    ) -> DecodedSignal:
        """The samples at `rate` of pieces of the codes that `tokens` describes, to iterate over without holding all of them."""
        length = round(tokens.length * rate / tokens.source_rate)
        return DecodedSignal(pieces, self.stream_decoder(tokens.streams, conceal, rate, condition), length)

    def encode_batch(
        self,
        sources: Sequence[Source],
        sample_rate: int | None = None,
        codebooks: int | None = None,
        bitrate: float | str | None = None,
        effort: int = DEFAULT_EFFORT,
    ) -> list[AudioTokens]:
        """Several sources of any kind that `encode` takes: the tokens that it gives one by one, up to near-ties.

        Channels are mixed as there. Those of like length share a pass, in bounded memory. Raises WavelexError for an effort beyond those
        of a stream.
        """
        options = EncodeOptions(codebooks, bitrate, effort=effort)
        count, parts = self.choose_codebooks(codebooks, options.bitrate), self._parts(self._prior())
        search = frame_search(parts, count, _streaming(effort, "a batch"), block_frames_at(self.frame_rate))
        found = encode_together(self.model, search, sources, sample_rate)
        return [AudioTokens.from_codes(codes[None], self, rate, length) for codes, rate, length in found]

    def decode_batch(self, tokens: Sequence[AudioTokens]) -> list[Audio]:
        """Several tokens with one number of codebooks: the audio that `decode` gives one by one, those of like length in one pass."""
        for item in tokens:
            self.check(item, "tokens")
        if len({item.codebooks for item in tokens}) > 1:
            raise WavelexError("tokens of one batch must have the same number of codebooks; take a common prefix")
        return decode_together(self.model, self._prior(), tokens)

    def stream_encoder(
        self,
        codebooks: int | None = None,
        streams: int = 1,
        effort: int = DEFAULT_EFFORT,
        sample_rate: int | None = None,
        packet_seconds: float | None = None,
    ) -> StreamEncoder:
        """A stream that takes samples at `sample_rate` (the codec's unless given) in chunks of any size and gives codes when ready.

        `packet_seconds` is what will be coded together, which matters for its price. Raises WavelexError for an effort that would have
        to wait for later samples.
        """
        options = EncodeOptions(codebooks, effort=effort, packet_seconds=packet_seconds)
        parts, chosen = self._parts(self._prior()), _streaming(effort, "a stream")
        search = frame_search(parts, self.choose_codebooks(codebooks), chosen, self.block_frames(options))
        return StreamEncoder(self.model, search, streams, sample_rate)

    def stream_decoder(
        self, streams: int = 1, conceal: bool = True, sample_rate: int | None = None, condition: Condition | None = None
    ) -> StreamDecoder:
        """A stream that takes codes in chunks of any size and gives samples at `sample_rate` (the codec's unless given) when ready.

        LOST frames are concealed if this codec has a token prior and `conceal` is on, else silent.
        """
        return StreamDecoder(self.model, streams, self._prior() if conceal else None, sample_rate, condition)

    def choose_codebooks(self, codebooks: int | None, bitrate: float | str | None = None) -> int:
        """How many codebooks a request means. Raises WavelexError when the codec cannot serve it."""
        if bitrate is not None:
            wanted = float(bitrate)
            codebooks = sum(self.bitrate(n) <= wanted + 1e-6 for n in range(1, self.codebooks + 1))
            if codebooks == 0:
                raise WavelexError(f"{wanted:g} bit/s is below the lowest rate of {self._who}, {self.bitrate(1):g} bit/s")
        if codebooks is None:
            return self.codebooks
        if not 1 <= codebooks <= self.codebooks:
            raise WavelexError(f"{codebooks} codebooks asked for; {self._who} has 1 to {self.codebooks}")
        return codebooks

    def check(self, tokens: AudioTokens, name: str) -> None:
        """Raises WavelexError unless the tokens were made with these weights and are in range."""
        if tokens.weights_hash != (mine := self.weights_hash):
            raise WavelexError(
                f"{name}: made with the weights {tokens.model} {tokens.weights_hash}, not {self.name} {mine}; "
                "decode with the model that encoded it (--model)"
            )
        if (tokens.sample_rate, tokens.hop_length) != (self.sample_rate, self.hop_length):
            told = f"{tokens.sample_rate} Hz and hop {tokens.hop_length}"
            raise WavelexError(f"{name}: says {told}, which {self._who} is not; encode it again")
        if list(tokens.codebook_sizes) != self.codebook_sizes[: len(tokens.codebook_sizes)]:
            raise WavelexError(f"{name}: says codebooks of {list(tokens.codebook_sizes)} codes, which {self._who} has not; encode it again")
        check_codes(tokens.codes, tokens.codebook_sizes, name)

    @property
    def _who(self) -> str:
        return self.name or "this codec"

    def _prior(self, coding: str | None = None) -> Prior | None:
        """The token prior for the present weights that a coding means, the strongest unless given."""
        stored = self.priors.for_coding(self.weights_hash, coding)[1]
        return stored.prior if stored else None

    def _parts(self, prior: Prior | None) -> Parts:
        prices = None
        if isinstance(prior, NeuralPrior) and self.model.quantizer.additive:
            # Made anew when the codebooks have changed.
            now = fingerprint(self.model.quantizer.state_dict())
            if self._prices is None or self._prices[0] != now or self._prices[1].prior is not prior:
                self._prices = now, PriceTables(self.model.quantizer, prior)
            prices = self._prices[1]
        return Parts(self.model.quantizer, self.model.decoder, self.sample_rate, prices)


def _streaming(level: int, what: str) -> Effort:
    effort = choose_effort(level)
    if effort.synthesizes:
        raise WavelexError(f"effort {level} waits for later samples; {what} takes 0 to {STREAMING_EFFORT}")
    return effort
