"""Lyra V2 (google/lyra 1.3.2) through LiteRT, from its three model files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from wavelex.bench.systems.system import Coded, from_pcm, to_pcm
from wavelex.errors import WavelexError
from wavelex.metrics.base import package_version
from wavelex.tokens.entropy.packing import pack, unpack

FRAME_BITS = {"3.2": 64, "6.0": 120, "9.2": 184}
"""Bits of a 20 ms frame by rate: 4 for each of up to 46 quantizers of 16 codes."""
HOP = 320
MOST_QUANTIZERS = 46
FILES = ("soundstream_encoder.tflite", "quantizer.tflite", "lyragan.tflite")


@dataclass(frozen=True)
class Lyra:
    """A rate; SoundStream's encoder, residual quantizer and LyraGAN, frame by frame."""

    rate: str
    folder: Path
    family: str = "lyra"
    latency: float | None = 0.02
    """One frame; both networks are causal."""
    frame_rate: float | None = 50.0
    packet_seconds: float | None = None
    codes_any_clip: bool = True

    def __post_init__(self) -> None:
        if self.rate not in FRAME_BITS:
            raise WavelexError(f"Lyra has no rate {self.rate!r}; choose {', '.join(FRAME_BITS)}")
        package_version("ai-edge-litert")
        for name in FILES:
            if not (self.folder / name).is_file():
                raise WavelexError(f"{self.folder}: holds no {name}; give the folder of Lyra V2's model files with --lyra")

    @property
    def name(self) -> str:
        return f"lyra-{self.rate}"

    @property
    def codebook_sizes(self) -> tuple[int, ...]:
        return (16,) * (FRAME_BITS[self.rate] // 4)

    @property
    def about(self) -> dict[str, str]:
        hashes = {name: hashlib.sha256(_file(self.folder / name)).hexdigest()[:16] for name in FILES}
        return {"ai-edge-litert": package_version("ai-edge-litert"), "bits a frame": str(FRAME_BITS[self.rate]), **hashes}

    def encode(self, samples: np.ndarray, name: str) -> Coded:
        frames, quantizers = -(-len(samples) // HOP), len(self.codebook_sizes)
        # The encoder is given what a 16-bit recording would hold.
        padded = from_pcm(to_pcm(np.pad(samples, (0, frames * HOP - len(samples)))))
        encoder = _interpreter(self.folder / FILES[0])
        encoder.allocate_tensors()
        taken, given = encoder.get_input_details()[0]["index"], encoder.get_output_details()[0]["index"]
        quantize = _interpreter(self.folder / FILES[1], delegate=False).get_signature_runner("encode")
        codes = np.zeros((quantizers, frames), np.int64)
        for frame in range(frames):
            encoder.set_tensor(taken, padded[None, frame * HOP : (frame + 1) * HOP])
            encoder.invoke()
            found = quantize(input_frames=encoder.get_tensor(given), num_quantizers=np.int32(quantizers))
            codes[:, frame] = np.ravel(found["output_0"])[:quantizers]
        return Coded(pack(codes[None], [4] * quantizers), float(frames * FRAME_BITS[self.rate]), codes)

    def decode(self, data: bytes, lost: np.ndarray | None = None) -> np.ndarray:
        quantizers = len(self.codebook_sizes)
        codes = unpack(data, 1, [4] * quantizers, 8 * len(data) // FRAME_BITS[self.rate])[0]
        dequantize = _interpreter(self.folder / FILES[1], delegate=False).get_signature_runner("decode")
        decoder = _interpreter(self.folder / FILES[2])
        decoder.allocate_tensors()
        taken, given = decoder.get_input_details()[0]["index"], decoder.get_output_details()[0]["index"]
        heard = np.zeros((codes.shape[1], HOP), np.float32)
        padded = np.full((MOST_QUANTIZERS, 1, 1), -1, np.int32)
        for frame in range(codes.shape[1]):
            padded[:quantizers, 0, 0] = codes[:, frame]
            decoder.set_tensor(taken, dequantize(encoding_indices=padded)["output_0"].reshape(1, 1, 64))
            decoder.invoke()
            heard[frame] = decoder.get_tensor(given)[0]
        return np.clip(heard.ravel(), -1, 1)


@cache
def _file(path: Path) -> bytes:
    return path.read_bytes()


def _interpreter(path: Path, delegate: bool = True) -> Any:
    # Made anew for each clip, since the networks carry their state. The quantizer's signatures need the plain kernels.
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=_file(path), num_threads=1, experimental_op_resolver_type=kernels)
