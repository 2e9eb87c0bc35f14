"""What is fuzzed: everything that reads what came from elsewhere. Each target ends in a result or a WavelexError."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from wavelex.audio.reading import AudioReader
from wavelex.audio.recordings import list_recordings
from wavelex.audio.resampling import Resampler
from wavelex.cli.decode import DecodeWork
from wavelex.cli.info import describe_file
from wavelex.cli.jobs import Job
from wavelex.codec.checkpoint import load_codec
from wavelex.models import DEFAULT_MODEL
from wavelex.tokens.entropy.priors.store import load_prior
from wavelex.tokens.format.container import Reader
from wavelex.tokens.format.header import read_header
from wavelex.tokens.tokens import AudioTokens


@contextmanager
def stored(data: bytes, name: str) -> Iterator[Path]:
    """The bytes as a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


def load_tokens(data: bytes) -> None:
    AudioTokens.from_bytes(data)


def salvage_tokens(data: bytes) -> None:
    Reader(io.BytesIO(data), "input").all_codes(salvage=True)


def describe_tokens(data: bytes) -> None:
    with stored(data, "input.wlx") as path:
        describe_file(path)


def decode_tokens(data: bytes) -> None:
    with stored(data, "input.wlx") as path:
        DecodeWork(DEFAULT_MODEL, None, None, False, False, None)(Job(path, path.with_suffix(".wav")), lambda _: None)


def read_token_header(data: bytes) -> None:
    read_header(io.BytesIO(data), "input")


def read_prior(data: bytes) -> None:
    with stored(data, "input.neural.prior.safetensors") as path:
        prior = load_prior(path).prior
    session = prior.session(2, len(prior.sizes))
    for book, size in enumerate(prior.sizes):
        found = session.frequencies(book, np.arange(2))
        session.decoded(book, np.arange(2), found.argmax(axis=1))
        assert found.shape == (2, size) and (found >= 0).all() and (found.sum(axis=1) == 1 << 16).all(), "frequencies that are none"


def read_checkpoint(data: bytes) -> None:
    with stored(data, "input.safetensors") as path:
        load_codec(path)


def read_recording(data: bytes) -> None:
    with stored(data, "input.wav") as path, AudioReader(path) as reader:
        resampler = Resampler(reader.sample_rate, 16_000, reader.channels)
        for block in reader.blocks():
            resampler.push(block)


def read_manifest(data: bytes) -> None:
    with stored(data, "input.tsv") as path:
        list_recordings(path)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "load": load_tokens,
    "salvage": salvage_tokens,
    "info": describe_tokens,
    "decode": decode_tokens,
    "header": read_token_header,
    "prior": read_prior,
    "checkpoint": read_checkpoint,
    "recording": read_recording,
    "manifest": read_manifest,
}


def targets_for(name: str) -> list[str]:
    """Those that a file of such a name is for."""
    if name.endswith(".wlx"):
        return ["header", "load", "salvage", "info", "decode"]
    endings = {".prior.safetensors": "prior", ".safetensors": "checkpoint", ".tsv": "manifest"}
    return [next((target for ending, target in endings.items() if name.endswith(ending)), "recording")]
