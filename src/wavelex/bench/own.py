"""Our codecs as systems under test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

import wavelex
from wavelex.bench.metrics.base import SAMPLE_RATE
from wavelex.bench.system import Coded
from wavelex.codec import Codec
from wavelex.hub import load, shipped_models
from wavelex.tokens import LOST, AudioTokens

NOT_CODING = ("bench", "cli", "training", "objectives")
"""Parts of the package that cannot change what a codec gives."""


@dataclass(frozen=True)
class Own:
    """A shipped model, checkpoint or training run with a number of codebooks; the bytes are a .wlx file, the bits its codes'."""

    model: str
    codebooks: int
    family: str
    about: dict[str, str] = field(hash=False)
    latency: float
    codebook_sizes: tuple[int, ...]
    packet_seconds: float | None
    codes_any_clip: bool = True

    @property
    def name(self) -> str:
        return f"{self.family}@{self.codebooks}"

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        tokens = _codec(self.model).encode(samples, SAMPLE_RATE, codebooks=self.codebooks)
        bits = tokens.codes.shape[2] * tokens.bitrate / tokens.frame_rate
        return Coded(tokens.to_bytes(), bits, tokens.codes[0])

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        tokens = AudioTokens.from_bytes(data)
        if lost is not None:
            tokens = replace(tokens, codes=np.where(lost[: tokens.codes.shape[2]], LOST, tokens.codes))
        decoded: np.ndarray = _codec(self.model).decode(tokens).samples[0]
        return decoded


def own(model: str, counts: list[int]) -> list[Own]:
    """A codec of ours at several numbers of codebooks. Raises WavelexError for one that it has not."""
    codec = _codec(model)
    about = {"wavelex": wavelex.__version__, "weights": codec.weights_hash, "design": codec.design, "code": _code_hash()}
    sizes = tuple(codec.quantizer.codebook_sizes)
    name = label(model)
    return [
        Own(model, n, name, about | {"codebooks": str(n)}, codec.latency, sizes[:n], 1 / codec.frame_rate)
        for n in (codec.choose_codebooks(count, None) for count in counts)
    ]


def label(model: str) -> str:
    """What to call it: a shipped model's name, a training run's folder, or a checkpoint's file name."""
    path = Path(model)
    if model in shipped_models():
        return model
    return path.resolve().parent.name if path.stem in ("best", "latest") else path.resolve().name.removesuffix(".safetensors")


@cache
def _codec(model: str) -> Codec:
    return load(model)


@cache
def _code_hash() -> str:
    """Of the package's source, so that stored results are not taken for those of changed code."""
    root = Path(wavelex.__file__).parent
    sources = sorted(path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in NOT_CODING)
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
