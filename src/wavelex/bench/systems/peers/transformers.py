"""Codec classes of transformers (EnCodec, DAC, Mimi, X-Codec) from a local checkpoint; nothing is downloaded."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wavelex.bench.systems.system import Coded, at_rate
from wavelex.errors import WavelexError
from wavelex.metrics.base import SAMPLE_RATE, package_version
from wavelex.tokens.entropy.packing import pack, unpack

CLASSES = {"encodec": "EncodecModel", "dac": "DacModel", "mimi": "MimiModel", "xcodec": "XcodecModel"}
"""By the `model_type` of a checkpoint's config.json."""
_HEADER = struct.Struct("<II")


@dataclass(frozen=True)
class Transformers:
    """A checkpoint with its first `codebooks` codebooks. The bytes are two counts and the packed codes; the bits the codes'."""

    folder: Path
    codebooks: int
    kind: str
    size: int
    about: dict[str, str] = field(hash=False)
    frame_rate: float | None = None
    latency: float | None = None
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    @property
    def name(self) -> str:
        return f"{self.family}@{self.codebooks}"

    @property
    def family(self) -> str:
        return self.folder.name

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return (self.size,) * self.codebooks

    @property
    def _width(self) -> int:
        return (self.size - 1).bit_length()

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        model, rate = _model(self.folder, self.kind)
        x = torch.from_numpy(at_rate(samples, SAMPLE_RATE, rate))[None, None]
        with torch.inference_mode():
            codes = self._codes(model, x)[: self.codebooks].numpy().astype(np.int64)
        frames = codes.shape[1]
        data = _HEADER.pack(len(samples), frames) + pack(codes[None], [self._width] * self.codebooks)
        return Coded(data, float(np.log2(self.size) * self.codebooks * frames), codes)

    def _codes(self, model: Any, x: torch.Tensor) -> torch.Tensor:
        """(codebooks, frames) of (1, 1, T)."""
        if self.kind == "encodec":
            # Its rates are chosen by bandwidth; the highest has every codebook, and a prefix is a lower rate.
            found = model.encode(x, bandwidth=max(model.config.target_bandwidths))
            if len(found.audio_codes) != 1:
                raise WavelexError(f"{self.folder}: codes in chunks, which the benchmark does not score; use the 24 kHz model")
            codes: torch.Tensor = found.audio_codes[0, 0]
        else:
            if self.kind == "dac":
                x = torch.nn.functional.pad(x, (0, -x.shape[-1] % int(np.prod(model.config.downsampling_ratios))))
            codes = model.encode(x).audio_codes[0]
        return codes

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        model, rate = _model(self.folder, self.kind)
        length, frames = _HEADER.unpack_from(data)
        codes = torch.from_numpy(unpack(data[_HEADER.size :], 1, [self._width] * self.codebooks, frames))
        with torch.inference_mode():
            if self.kind == "encodec":
                heard = model.decode(codes[None], [None]).audio_values
            elif self.kind == "dac":
                heard = model.decode(audio_codes=codes).audio_values
            else:
                heard = model.decode(codes).audio_values
        samples = at_rate(heard.flatten().numpy(), rate, SAMPLE_RATE)
        return samples[:length]


def transformers_codec(folder: Path, codebooks: int | None) -> Transformers:
    """A local checkpoint as a system. Raises WavelexError for a folder that is none or a number of codebooks it has not."""
    import json

    try:
        config = json.loads((folder / "config.json").read_text())
        kind = config["model_type"]
    except (OSError, ValueError, KeyError) as error:
        raise WavelexError(f"{folder}: holds no config.json of a transformers codec; give the folder of a downloaded checkpoint") from error
    if kind not in CLASSES:
        raise WavelexError(f"{folder}: is a {kind!r} model; the benchmark knows {', '.join(CLASSES)}")
    model, rate = _model(folder, kind)
    settings = model.config
    size = int(settings.codebook_size)
    if kind == "encodec":
        most = int(model.quantizer.get_num_quantizers_for_bandwidth(max(settings.target_bandwidths)))
    elif kind == "dac":
        most = int(settings.n_codebooks)
    else:
        most = int(settings.num_quantizers)
    count = codebooks or most
    if not 1 <= count <= most:
        raise WavelexError(f"{count} codebooks asked for; {folder} has 1 to {most}")
    weights = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()[:16]
    versions = {name: package_version(name) for name in ("transformers", "torch")}
    about = {**versions, "class": CLASSES[kind], "weights": digest, "codebooks": str(count), "inside": f"{rate} Hz"}
    return Transformers(folder, count, kind, size, about, float(settings.frame_rate))


@cache
def _model(folder: Path, kind: str) -> tuple[Any, int]:
    package_version("transformers")
    import transformers

    try:
        model = getattr(transformers, CLASSES[kind]).from_pretrained(folder, local_files_only=True).eval()
    except (OSError, ValueError, RuntimeError) as error:
        raise WavelexError(f"{folder}: cannot be loaded as {CLASSES[kind]} ({str(error).splitlines()[0]})") from error
    return model, int(model.config.sampling_rate)
