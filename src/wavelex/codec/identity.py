"""Who a set of weights is: a hash of the values as they are now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

_COLUMNS = 1024


class Identity:
    """The hash of a module's weights, computed anew whenever they have changed.

    Whether they have is told by sums over all their bits, which take a twentieth of the time of the hash; nothing that changes a value
    goes unnoticed, whoever changed it and how.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._seen: tuple[object, ...] = ()
        self._hash = ""

    def __call__(self) -> str:
        """First 16 hex digits of SHA-256."""
        tensors = self._module.state_dict()
        seen = fingerprint(tensors)
        if seen != self._seen:
            self._seen, self._hash = seen, weights_hash(tensors)
        return self._hash


@torch.no_grad()
def fingerprint(tensors: Mapping[str, Tensor]) -> tuple[object, ...]:
    """Names, types and sums of the bits of tensors: equal only where the values are (but for changes made to deceive it)."""
    return tuple((name, str(value.dtype), tuple(value.shape), _bit_sums(value)) for name, value in tensors.items())


def _bit_sums(value: Tensor) -> bytes:
    """Column sums of a tensor's bits laid in rows, so that values which change places are noticed too."""
    raw = value.detach().contiguous().view(-1).view(torch.uint8)
    whole = len(raw) // (8 * _COLUMNS) * (8 * _COLUMNS)
    sums = raw[:whole].view(torch.int64).view(-1, _COLUMNS).sum(0)
    return sums.cpu().numpy().tobytes() + raw[whole:].cpu().numpy().tobytes()


def stored_form(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as they are hashed: in half precision where that holds every value exactly, as for weights loaded from such a file."""
    found = {}
    for name, value in tensors.items():
        kept = value.detach().cpu().contiguous()
        if kept.is_floating_point():
            small = kept.half()
            kept = small if torch.equal(small.to(kept.dtype), kept) else kept
        found[name] = kept
    return found


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    """First 16 hex digits of SHA-256 over names, shapes and values: the identity that a token file records."""
    digest = hashlib.sha256()
    kept = stored_form(tensors)
    for key in sorted(kept):
        value = kept[key]
        digest.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
