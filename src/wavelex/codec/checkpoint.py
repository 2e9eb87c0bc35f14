"""Codec weights as safetensors, with what is needed to rebuild the codec in the header. Never pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wavelex.codec.codec import Codec
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.tokens.entropy.priors.store import register_beside

FORMAT = "wavelex-codec-1"


def save_codec(path: Path, codec: Codec, name: str, notes: Mapping[str, object] | None = None, half: bool = True) -> None:
    """Write weights and codebooks (float16 where it holds them, unless `half` is off) with design, arguments and notes in the header."""
    tensors = {}
    for key, tensor in codec.state_dict().items():
        keep = tensor.detach().cpu().contiguous()
        small = keep.half() if half and keep.is_floating_point() else keep
        # The running sums of a codebook can exceed what float16 holds.
        tensors[key] = small if torch.isfinite(small).all() else keep
    header = {
        "format": FORMAT,
        "name": name,
        "design": codec.design,
        "arguments": json.dumps(codec.arguments, sort_keys=True),
        "notes": json.dumps(dict(notes or {}), sort_keys=True),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=header)


def load_codec(path: Path) -> Codec:
    """Rebuild a codec from its weights, in eval mode and float32.

    Raises WavelexError when the file is missing, damaged, of another kind or version, or names an unknown design.
    """
    header, tensors = read_tensors(path)
    if header.get("format") != FORMAT:
        raise WavelexError(f"{path}: not a codec checkpoint of this version ({header.get('format', 'no format given')}); expected {FORMAT}")
    try:
        arguments, notes = json.loads(header["arguments"]), json.loads(header["notes"])
        design, name = header["design"], header["name"]
    except (KeyError, ValueError) as error:
        raise WavelexError(f"{path}: its header is incomplete ({error}); export the checkpoint again") from error
    try:
        codec = build(design, arguments)
    except WavelexError as error:
        raise WavelexError(f"{path}: {error}") from error
    try:
        codec.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in tensors.items()})
    except RuntimeError as error:
        raise WavelexError(f"{path}: the weights do not fit design {design} with {arguments}; export them again") from error
    codec.name, codec.notes = name, notes
    codec.weights_hash = weights_hash(tensors)
    register_beside(path, codec.weights_hash)
    return codec.eval()


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Header and tensors of a safetensors file. Raises WavelexError when it is missing or damaged."""
    if not path.is_file():
        raise WavelexError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as opened:
            return dict(opened.metadata() or {}), {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WavelexError(f"{path}: not a safetensors checkpoint, or damaged; copy it again") from error


def weights_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """First 16 hex digits of SHA-256 over names, shapes and values: the identity that a token file records."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        digest.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]
