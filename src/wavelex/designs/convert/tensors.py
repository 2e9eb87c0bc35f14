"""The tensors of a published checkpoint, taken one by one, so that none is left over unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from wavelex.errors import WavelexError


class Tensors:
    """Published tensors by their names. What is taken is remembered; `done` refuses what is left.

    Every method raises WavelexError naming a tensor that is missing or of another shape than asked for.
    """

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str = "", taken: set[str] | None = None) -> None:
        self._all, self._prefix = tensors, prefix
        self._taken = set() if taken is None else taken

    def under(self, prefix: str) -> Tensors:
        """Those whose names begin with a prefix and a dot, by what follows; taking one counts here too."""
        return Tensors(self._all, f"{self._prefix}{prefix}.", self._taken)

    def names(self) -> list[str]:
        """Of all below this prefix."""
        return [name[len(self._prefix) :] for name in self._all if name.startswith(self._prefix)]

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._all

    def shape(self, name: str) -> tuple[int, ...]:
        """Without taking it."""
        return tuple(self._find(name).shape)

    def take(self, name: str, *shape: int) -> Tensor:
        """In float32 where it is floating-point; `shape` is what it must have, any unless given."""
        tensor = self._find(name)
        if shape and tuple(tensor.shape) != shape:
            raise WavelexError(f"{self._prefix}{name} is {tuple(tensor.shape)}, expected {shape}")
        self._taken.add(self._prefix + name)
        return tensor.float() if tensor.is_floating_point() else tensor

    def weight(self, name: str) -> Tensor:
        """The weight of a layer, its weight normalisation folded in (Salimans and Kingma, arXiv 1602.07868).

        Knows both of torch's ways to store it: `weight_g` and `weight_v`, and `parametrizations.weight.original0` and `original1`.
        """
        for magnitude, direction in (
            (f"{name}.weight_g", f"{name}.weight_v"),
            (f"{name}.parametrizations.weight.original0", f"{name}.parametrizations.weight.original1"),
        ):
            if magnitude in self:
                g, v = self.take(magnitude), self.take(direction)
                # The norm is over all dimensions but the one that `g` keeps.
                over = [dim for dim in range(v.ndim) if g.shape[dim] == 1]
                norm: Tensor = torch.linalg.vector_norm(v, dim=over, keepdim=True)
                return v * (g / norm)
        return self.take(f"{name}.weight")

    def skip(self, names: Iterable[str]) -> None:
        """Count as taken what has no counterpart here and is not needed."""
        self._taken |= {self._prefix + name for name in names}

    def done(self) -> None:
        """Raises WavelexError naming tensors that nothing has taken."""
        if left := sorted(set(self._all) - self._taken):
            raise WavelexError(f"{len(left)} tensors are left over: {', '.join(left[:5])}{', ...' if len(left) > 5 else ''}")

    def _find(self, name: str) -> Tensor:
        found = self._all.get(self._prefix + name)
        if found is None:
            raise WavelexError(f"{self._prefix}{name} is missing")
        if found.is_floating_point() and not torch.isfinite(found).all():
            raise WavelexError(f"{self._prefix}{name} holds values that are NaN or infinite")
        return found


def in_halves(weight: Tensor, heads: int) -> Tensor:
    """Rows (or entries) of queries or keys whose rotary pairs are neighbours, put so that a pair's two lie half a head apart.

    Raises WavelexError for a number of heads that cannot be.
    """
    if len(weight) % (2 * heads):
        raise WavelexError(f"{heads} heads cannot share {len(weight)} channels")
    pairs = weight.reshape(heads, -1, 2, *weight.shape[1:])
    return pairs.transpose(1, 2).reshape(weight.shape)


def count(tensors: Tensors, prefix: str) -> int:
    """How many numbered groups there are below a prefix."""
    return len({name.removeprefix(f"{prefix}.").split(".")[0] for name in tensors.names() if name.startswith(f"{prefix}.")})
