"""Codec: an encoder, a quantizer and a decoder held together; audio in, tokens out, and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from wavelex.audio.files import BLOCK_SECONDS, Audio, Resampler, as_samples
from wavelex.codec.concealment import Concealer
from wavelex.codec.long_signals import DecodedBlocks, EncodedBlocks, EncodingSession, Source, SourceReader, fit
from wavelex.codec.streams import StreamDecoder, StreamEncoder, arrived
from wavelex.decoders.base import Decoder
from wavelex.encoders.base import Encoder
from wavelex.errors import WavelexError
from wavelex.quantizers.base import Quantized, Quantizer
from wavelex.search.codes import make_search
from wavelex.search.effort import DEFAULT_EFFORT, STREAMING_EFFORT, choose_effort
from wavelex.search.session import RefiningEncoder, make_refiner
from wavelex.search.target import Budget, Quality, Target
from wavelex.search.variable_rate import VariableEncoder
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.store import find_prior
from wavelex.tokens.format.header import BLOCK_FRAMES
from wavelex.tokens.tokens import LOST, AudioTokens, check_codes, choose_coding


class Reconstructed(NamedTuple):
    """What training sees: samples like the input's, and the quantizer's result if codes were used."""

    samples: Tensor
    quantized: Quantized | None


class Codec(nn.Module):
    """Samples (batch, 1, T) at `sample_rate` to codes (batch, codebooks, frames) and back.

    The end of a signal is followed by silence in both directions, so an item of a padded batch, a whole signal and a
    stream that is flushed all see the same input and give the same codes.
    """

    def __init__(self, encoder: Encoder, quantizer: Quantizer, decoder: Decoder, sample_rate: int) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder, self.sample_rate = encoder, quantizer, decoder, sample_rate
        self.design: str = ""
        self.arguments: dict[str, Any] = {}
        self.name: str = ""
        self.notes: dict[str, Any] = {}
        self.weights_hash: str = "0" * 16

    @property
    def hop_length(self) -> int:
        return self.encoder.hop_length

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.hop_length

    @property
    def codebooks(self) -> int:
        return len(self.quantizer.codebook_sizes)

    @property
    def lookahead(self) -> int:
        """Samples after a frame that encoder and decoder together wait for."""
        return self.encoder.lookahead + self.decoder.lookahead

    @property
    def latency(self) -> float:
        """Algorithmic latency in seconds: one frame and the look-ahead."""
        return (self.hop_length + self.lookahead) / self.sample_rate

    def bitrate(self, codebooks: int) -> float:
        """Nominal bits a second of one stream with that many codebooks."""
        return self.frame_rate * sum(math.log2(size) for size in self.quantizer.codebook_sizes[:codebooks])

    def forward(self, samples: Tensor, num_codebooks: int | Tensor | None = None, quantize: bool = True) -> Reconstructed:
        """Samples (batch, 1, T) through the codec, differentiably; `quantize=False` decodes the latents themselves."""
        latents = self.latents(samples).float()
        quantized = self.quantizer(latents, num_codebooks) if quantize else None
        return Reconstructed(self.synthesize(quantized.latents if quantized else latents)[..., : samples.shape[-1]], quantized)

    def latents(self, samples: Tensor) -> Tensor:
        """Samples (batch, 1, T) to latents (batch, dim, ceil(T / hop_length))."""
        frames = -(-samples.shape[-1] // self.hop_length)
        silence = frames * self.hop_length - samples.shape[-1] + self.encoder.lookahead
        latents: Tensor = self.encoder(nn.functional.pad(samples, (0, silence)))
        return latents[..., :frames]

    def synthesize(self, latents: Tensor) -> Tensor:
        """Latents (batch, dim, frames) to samples (batch, 1, frames * hop_length)."""
        ahead = -(-self.decoder.lookahead // self.hop_length)
        samples: Tensor = self.decoder(nn.functional.pad(latents, (0, ahead)))
        return samples[..., : latents.shape[-1] * self.hop_length]

    def stream_encoder(
        self, codebooks: int | None = None, streams: int = 1, effort: int = DEFAULT_EFFORT, block_frames: int = BLOCK_FRAMES
    ) -> StreamEncoder:
        """A session that takes samples at the codec's rate in chunks of any size and gives codes when they are ready.

        `block_frames` are the frames that will be coded together, those of a packet for instance, which matters for their price.
        Raises WavelexError for an effort that would have to wait for later samples.
        """
        chosen = choose_effort(effort)
        if chosen.synthesizes:
            raise WavelexError(f"effort {effort} waits for later samples; a stream takes 0 to {STREAMING_EFFORT}")
        search = make_search(self.quantizer, self._prior(), self.choose_codebooks(codebooks, None), chosen, block_frames)
        return StreamEncoder(self.encoder, search, streams)

    def stream_decoder(self, streams: int = 1, conceal: bool = True) -> StreamDecoder:
        """A session that takes codes in chunks of any size and gives samples when they are ready.

        LOST frames are concealed if this codec has a token prior and `conceal` is on, else silent.
        """
        return StreamDecoder(self.quantizer, self.decoder, streams, self._prior() if conceal else None)

    def _prior(self, wished: str | None = None) -> Prior | None:
        """The token prior for these weights that a coding means, the strongest unless given."""
        coding, name = choose_coding(self.weights_hash, wished)
        return None if coding == "packed" else find_prior(name)

    def encode(
        self,
        source: Source,
        sample_rate: int | None = None,
        codebooks: int | None = None,
        bitrate: float | None = None,
        per_channel: bool = False,
        effort: int = DEFAULT_EFFORT,
        target: Target | None = None,
    ) -> AudioTokens:
        """A file or samples to tokens.

        `source` is a path, an open file, Audio, or samples (T,) or (channels, T) in [-1, 1] at `sample_rate` (the codec's
        unless given). `codebooks` or `bitrate` (bits a second a stream, rounded down to what the codec has) choose the
        rate; all codebooks unless given. Channels are mixed to one unless `per_channel`, which codes each as a stream.
        `effort` from 0 (fastest) to 9 (best) is how long good codes are looked for. `target` is an average of bits a second a
        stream, as written to a file, or a Quality, to be reached by giving each frame the codebooks it needs, up to the number chosen.
        Raises WavelexError for input that cannot be coded.
        """
        count = self.choose_codebooks(codebooks, bitrate)
        with SourceReader(source, sample_rate or self.sample_rate) as opened:
            encoding = self.encode_blocks(opened, count, per_channel, effort, target)
            blocks = list(encoding)
        codes = np.concatenate(blocks, axis=2)
        return self.describe(codes, opened.sample_rate, encoding.length)

    def encode_blocks(
        self,
        source: SourceReader,
        codebooks: int,
        per_channel: bool,
        effort: int = DEFAULT_EFFORT,
        target: Target | None = None,
        coding: str | None = None,
        block_frames: int = BLOCK_FRAMES,
    ) -> EncodedBlocks:
        """The codes of an open source, to iterate over without holding all of it (but with a `target`, which holds its latents).

        `coding` and `block_frames` are those of the file that is to have the `target` size.
        """
        chosen, streams = choose_effort(effort), source.channels if per_channel else 1
        search = make_search(self.quantizer, self._prior(coding), codebooks, chosen, block_frames)
        refiner = make_refiner(self.quantizer, self.decoder, self.sample_rate, search, chosen) if chosen.synthesizes else None
        session: EncodingSession
        if target is not None:
            if "packed" in (coding, choose_coding(self.weights_hash, coding)[0]):
                why = "cannot be packed" if coding == "packed" else f"need a token prior, which {self.name} has not; wavelex prior fits one"
                raise WavelexError(f"frames of varying size {why}")
            goal: Budget | Quality
            if isinstance(target, Quality):
                goal = target
            else:
                goal = Budget(target, self.frame_rate, lambda codes: self.describe(codes, self.sample_rate, 0), coding, block_frames)
            session = VariableEncoder(self.encoder, self.quantizer, search, refiner, goal, streams)
        elif refiner:
            session = RefiningEncoder(self.encoder, self.quantizer, refiner, streams)
        else:
            session = StreamEncoder(self.encoder, search, streams)
        return EncodedBlocks(source, session, self.sample_rate, per_channel)

    def decode_blocks(self, pieces: Iterator[np.ndarray], tokens: AudioTokens, rate: int, conceal: bool = True) -> DecodedBlocks:
        """The samples at `rate` of pieces of the codes that `tokens` describes, to iterate over without holding all of them."""
        length = round(tokens.length * rate / tokens.source_rate)
        return DecodedBlocks(pieces, self.stream_decoder(tokens.streams, conceal), self.sample_rate, rate, length)

    def encode_batch(
        self, clips: Sequence[np.ndarray], codebooks: int | None = None, bitrate: float | None = None, effort: int = DEFAULT_EFFORT
    ) -> list[AudioTokens]:
        """Mono clips (T,) at the codec's rate, of any lengths, in one pass: the tokens that `encode` gives one by one.

        Raises WavelexError for an effort beyond those of a stream.
        """
        chosen = choose_effort(effort)
        if chosen.synthesizes:
            raise WavelexError(f"effort {effort} works on one clip at a time; a batch takes 0 to {STREAMING_EFFORT}")
        count = self.choose_codebooks(codebooks, bitrate)
        if not clips:
            return []
        padded = np.zeros((len(clips), 1, max(len(clip) for clip in clips)), np.float32)
        for row, clip in zip(padded, clips, strict=True):
            row[0, : len(clip)] = as_samples(clip)[0]
        with torch.inference_mode():
            latents = self.latents(torch.from_numpy(padded).to(self._device))
            codes = make_search(self.quantizer, self._prior(), count, chosen, BLOCK_FRAMES).choose(latents).cpu().numpy()
        return [
            self.describe(c[None, :, : -(-len(x) // self.hop_length)], self.sample_rate, len(x)) for c, x in zip(codes, clips, strict=True)
        ]

    def decode(self, tokens: AudioTokens, sample_rate: int | None = None, conceal: bool = True) -> Audio:
        """Tokens to audio of exactly the encoded length, at the source's sample rate unless another is given.

        For LOST frames see `stream_decoder`. Raises WavelexError for tokens of another model or out of range.
        """
        self.check(tokens, "tokens")
        step = int(BLOCK_SECONDS * self.frame_rate)
        pieces = (tokens.codes[:, :, i : i + step] for i in range(0, tokens.codes.shape[2], step))
        rate = sample_rate or tokens.source_rate
        decoded = list(self.decode_blocks(pieces, tokens, rate, conceal))
        return Audio(np.concatenate([np.zeros((tokens.streams, 0), np.float32), *decoded], axis=1), rate)

    def decode_batch(self, tokens: Sequence[AudioTokens]) -> list[Audio]:
        """Several tokens with one number of codebooks in one pass: the audio that `decode` gives one by one."""
        for item in tokens:
            self.check(item, "tokens")
        if len({item.codebooks for item in tokens}) > 1:
            raise WavelexError("tokens of one batch must have the same number of codebooks; take a common prefix")
        if not tokens:
            return []
        rows = [row for item in tokens for row in item.codes]
        longest = max(row.shape[1] for row in rows)
        codes = torch.full((len(rows), tokens[0].codebooks, longest), LOST)
        for target, row in zip(codes, rows, strict=True):
            target[:, : row.shape[1]] = torch.from_numpy(row)
        prior = self._prior()
        with torch.inference_mode():
            latents = self.quantizer.decode(codes.to(self._device))
            heard = np.ones((len(rows), longest * self.hop_length), np.float32)
            for index, row in enumerate(rows):
                if (row[0] == LOST).any():
                    count = row.shape[1]
                    if prior:
                        filled, gains = Concealer(self.quantizer, prior, 1).fill(row[None], self.hop_length)
                        latents[index, :, :count] = filled[0]
                    else:
                        gains = arrived(row[None], self.hop_length)
                    heard[index, : count * self.hop_length] = gains[0]
            samples = self.synthesize(latents)[:, 0].cpu().numpy() * heard
        decoded, start = [], 0
        for item in tokens:
            count, frames = item.codes.shape[0], item.codes.shape[2]
            decoded_rows = samples[start : start + count, : frames * self.hop_length]
            fitted = fit(Resampler(self.sample_rate, item.source_rate, count).push(decoded_rows, last=True), item.length)
            decoded.append(Audio(fitted, item.source_rate))
            start += count
        return decoded

    def choose_codebooks(self, codebooks: int | None, bitrate: float | None) -> int:
        """How many codebooks a request means. Raises WavelexError when the codec cannot serve it."""
        if codebooks is not None and bitrate is not None:
            raise WavelexError("give codebooks or a bit rate, not both")
        if bitrate is not None:
            codebooks = sum(self.bitrate(n) <= bitrate + 1e-6 for n in range(1, self.codebooks + 1))
            if codebooks == 0:
                raise WavelexError(f"{bitrate:g} bit/s is below the lowest rate of {self.name or 'this codec'}, {self.bitrate(1):g} bit/s")
        if codebooks is None:
            return self.codebooks
        if not 1 <= codebooks <= self.codebooks:
            raise WavelexError(f"{codebooks} codebooks asked for; {self.name or 'this codec'} has 1 to {self.codebooks}")
        return codebooks

    def describe(self, codes: np.ndarray, source_rate: int, length: int) -> AudioTokens:
        """Codes of this codec as tokens; `length` in samples at `source_rate`."""
        sizes = tuple(self.quantizer.codebook_sizes[: codes.shape[1]])
        return AudioTokens(codes, self.name, self.weights_hash, self.sample_rate, self.hop_length, sizes, source_rate, length)

    def check(self, tokens: AudioTokens, name: str) -> None:
        """Raises WavelexError unless the tokens were made with these weights and are in range."""
        if tokens.weights_hash != self.weights_hash:
            raise WavelexError(
                f"{name}: made with the weights {tokens.model} {tokens.weights_hash}, not {self.name} {self.weights_hash}; "
                "decode with the model that encoded it (--model)"
            )
        if (tokens.sample_rate, tokens.hop_length) != (self.sample_rate, self.hop_length):
            raise WavelexError(
                f"{name}: says {tokens.sample_rate} Hz and hop {tokens.hop_length}, which {self.name} is not; encode it again"
            )
        if list(tokens.codebook_sizes) != self.quantizer.codebook_sizes[: len(tokens.codebook_sizes)]:
            raise WavelexError(f"{name}: says codebooks of {list(tokens.codebook_sizes)} codes, which {self.name} has not; encode it again")
        check_codes(tokens.codes, tokens.codebook_sizes, name)

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device
