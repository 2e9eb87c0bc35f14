"""Codec weights as safetensors, with what is needed to rebuild the codec in the header. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wavelex.codec.codec import Codec
from wavelex.codec.model import CodecModel
from wavelex.designs import build
from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.tokens.entropy.priors.store import Priors, priors_beside

FORMAT = "wavelex-codec-1"
COUNTS = frozenset({"layers", "codebooks", "blocks", "halvings", "residual_layers", "lstm", "depths"})
"""Arguments that say how many parts there are, each of which has tensors."""
LARGEST_SIZE = 2**17
"""Of arguments that are not the side of a tensor: windows, mostly."""


def save_codec(path: Path, model: CodecModel, name: str, notes: Mapping[str, object] | None = None, half: bool = True) -> None:
    """Write weights and codebooks (float16 where it holds them, unless `half` is off) with design, arguments and notes in the header."""
    if not name.isprintable():
        raise WavelexError(f"{path}: the name {name[:40]!r} cannot be printed; choose another")
    tensors = {}
    for key, tensor in model.state_dict().items():
        keep = tensor.detach().cpu().contiguous()
        small = keep.half() if half and keep.is_floating_point() else keep
        # The running sums of a codebook can exceed what float16 holds.
        tensors[key] = small if torch.isfinite(small).all() else keep
    header = {
        "format": FORMAT,
        "name": name,
        "design": model.design,
        "arguments": json.dumps(model.arguments, sort_keys=True),
        "notes": json.dumps(dict(notes or {}), sort_keys=True),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=header)


def is_codec(path: Path) -> bool:
    """Whether a file is one of ours by its header, or cannot be told from one: a damaged file is better refused as what it may be."""
    try:
        with safe_open(path, framework="pt") as opened:
            return "design" in (opened.metadata() or {})
    except (SafetensorError, OSError):
        with path.open("rb") as file:
            begin = file.read(4)
        return begin[:2] != b"PK" and begin[:1] != b"\x80"


def load_codec(path: Path, priors: Priors | None = None) -> Codec:
    """Rebuild a codec from its weights, in eval mode and float32, with `priors`: those that lie beside it unless given.

    Raises WavelexError when the file is missing, damaged, of another kind or version, or names an unknown design, and for weights that
    do not fit the design or are not finite.
    """
    header, tensors = read_tensors(path)
    name, design, arguments, notes = _described(path, header)
    if problem := _excess(arguments, tensors):
        raise WavelexError(f"{path}: its header asks for {problem}, more than its {len(tensors)} tensors can be; export it again")
    if arguments:
        # Without memory at first, so that a header cannot ask for more than the file holds; it takes torch two seconds to get ready for.
        with torch.device("meta"):
            _fitting(path, design, arguments, tensors)
    model = _fitting(path, design, arguments, tensors)
    model.load_state_dict({key: t.float() if t.is_floating_point() else t for key, t in tensors.items()})
    return Codec(model, name, priors_beside(path) if priors is None else priors, notes)


def _described(path: Path, header: Mapping[str, str]) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Name, design, arguments and notes of a checkpoint's header."""
    if header.get("format") != FORMAT:
        raise WavelexError(
            f"{path}: not a codec checkpoint of this version ({header.get('format', 'no format given')[:40]}); expected {FORMAT}"
        )
    try:
        arguments, notes = json.loads(header["arguments"]), json.loads(header["notes"])
        name, design = header["name"], header["design"]
    except (KeyError, ValueError, RecursionError) as error:
        raise WavelexError(f"{path}: its header is incomplete ({error}); export the checkpoint again") from error
    if not isinstance(arguments, dict) or not isinstance(notes, dict):
        raise WavelexError(f"{path}: its header is damaged (arguments and notes must be JSON objects); export the checkpoint again")
    if not name.isprintable():
        raise WavelexError(f"{path}: its header is damaged (a name that cannot be printed); export the checkpoint again")
    return name, design, arguments, notes


def _fitting(path: Path, design: str, arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> CodecModel:
    """The design with fresh weights, if the tensors fit it. Raises WavelexError where they do not."""
    try:
        model = build(design, arguments)
    except WavelexError as error:
        raise WavelexError(f"{path}: {error}") from error
    if problem := _misfit(model.state_dict(), tensors):
        raise WavelexError(f"{path}: the weights do not fit design {design} with {_short(arguments)} ({problem}); export them again")
    return model


def _excess(arguments: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str | None:
    """An argument that no design of these tensors can have: counts of layers above theirs, sizes far above the largest of them."""
    largest = max((side for tensor in tensors.values() for side in tensor.shape), default=1)
    for name, value in arguments.items():
        numbers = value if isinstance(value, list) else [value]
        whole = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool)]
        most = len(tensors) if name in COUNTS else max(LARGEST_SIZE, largest)
        if len(numbers) > max(64, len(tensors)) or (name != "sample_rate" and any(number > most for number in whole)):
            return f"{name} {value!r}"[:100]
    return None


def _misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    """What is wrong with the tensors of a file, if anything is."""
    for key in sorted({*expected, *found}):
        if key not in expected or key not in found:
            return f"{key} is {'not expected' if key in found else 'missing'}"
        mine, theirs = expected[key], found[key]
        if mine.shape != theirs.shape or mine.is_floating_point() != theirs.is_floating_point():
            return f"{key} is {tuple(theirs.shape)} {theirs.dtype}, expected {tuple(mine.shape)} {mine.dtype}"
        if theirs.is_floating_point() and not torch.isfinite(theirs).all():
            return f"{key} holds values that are NaN or infinite"
    return None


def _short(arguments: Mapping[str, Any]) -> str:
    told = json.dumps(dict(arguments))
    return told if len(told) <= 200 else f"{told[:200]}..."


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Header and tensors of a safetensors file. Raises WavelexError when it is missing or damaged."""
    if not path.is_file():
        raise WavelexError(f"{path}: no such checkpoint")
    try:
        with safe_open(path, framework="pt") as opened:
            return dict(opened.metadata() or {}), {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WavelexError(f"{path}: not a safetensors checkpoint, or damaged; copy it again") from error
