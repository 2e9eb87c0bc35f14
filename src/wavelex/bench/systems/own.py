"""Our codecs as systems under test."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

import wavelex
from wavelex.bench.systems.system import Coded
from wavelex.codec.codec import Codec
from wavelex.codec.hub import load
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE
from wavelex.models import shipped_models
from wavelex.search.effort import DEFAULT_EFFORT, choose_effort
from wavelex.search.target import Quality, Target
from wavelex.tokens.tokens import LOST, AudioTokens

NOT_CODING = ("bench", "cli", "metrics", "race", "training")
"""Parts of the package that cannot change what a codec gives."""


@dataclass(frozen=True)
class Own:
    """A shipped model, checkpoint or training run in one way of using it; the bytes are a .wlx file, the bits those of its blocks.

    A lost packet is a lost frame, as if each were sent by itself.
    """

    model: str
    codebooks: int
    family: str
    about: dict[str, str] = field(hash=False)
    latency: float
    codebook_sizes: tuple[int, ...]
    frame_rate: float | None
    effort: int = DEFAULT_EFFORT
    target: Target | None = None
    conceal: bool = True
    codes_any_clip: bool = True

    @property
    def packet_seconds(self) -> float | None:
        return 1 / self.frame_rate if self.frame_rate else None

    @property
    def name(self) -> str:
        rate = f"{self.codebooks}" if self.target is None else _told(self.target)
        effort = "" if self.effort == DEFAULT_EFFORT else f"e{self.effort}"
        return f"{self.family}@{rate}{effort}{'' if self.conceal else '-silent'}"

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        tokens = _codec(self.model).encode(samples, SAMPLE_RATE, codebooks=self.codebooks, effort=self.effort, target=self.target)
        data = tokens.to_bytes()
        return Coded(data, 8.0 * (len(data) - len(tokens.header().to_bytes())), tokens.codes[0])

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        codec = _codec(self.model)
        tokens = AudioTokens.from_bytes(data, codec)
        if lost is not None:
            # A codec that works in blocks of frames may end with more than the packets that were counted.
            frames = tokens.codes.shape[2]
            gone = np.pad(lost[:frames], (0, max(0, frames - len(lost))))
            tokens = replace(tokens, codes=np.where(gone, LOST, tokens.codes))
        return codec.decode(tokens, conceal=self.conceal).mono()


def own(
    model: str, counts: Sequence[int] = (), efforts: Sequence[int] = (DEFAULT_EFFORT,), targets: Sequence[Target] = (), conceal: bool = True
) -> list[Own]:
    """A codec of ours at several numbers of codebooks (1, 2, 4, ... and all it has unless given) and targets, each with several efforts.

    Raises WavelexError for a number of codebooks that it has not, an effort that there is not, or targets without a token prior.
    """
    # Weights may have changed since this process last measured them, as those of a race do.
    _codec.cache_clear()
    codec = _codec(model)
    coding, stored = codec.priors.for_coding(codec.weights_hash)
    about = {"wavelex": wavelex.__version__, "weights": codec.weights_hash, "design": codec.model.design, "code": _code_hash()}
    about |= {"coding": coding, "prior": stored.name if stored else "none", "concealment": "on" if conceal else "off"}
    sizes = tuple(codec.codebook_sizes)
    name = label(model)
    if targets and stored is None:
        raise WavelexError(f"--target needs a token prior, which {name} has not; wavelex prior fits one")
    for effort in efforts:
        choose_effort(effort)
    counts = counts or doubling(codec.codebooks)
    ways = [(codec.choose_codebooks(count, None), None) for count in counts] + [(codec.codebooks, target) for target in targets]
    return [
        Own(
            model,
            n,
            name,
            about | {"codebooks": str(n), "effort": str(effort), "target": f"{target or 'none'}"},
            codec.latency,
            sizes[:n],
            codec.frame_rate,
            effort,
            target,
            conceal,
        )
        for effort in efforts
        for n, target in ways
    ]


def doubling(most: int) -> list[int]:
    """1, 2, 4, ... and the last, `most`."""
    return [*(1 << bit for bit in range((most - 1).bit_length())), most]


def _told(target: Target) -> str:
    return str(target) if isinstance(target, Quality) else f"{target / 1000:g}k"


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
