"""SimVQ: a frozen codebook seen through a trained linear map, so that a step moves every vector and none is left behind."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wavelex.quantizers.books import Book, VectorQuantizer


class LinearBook(Book):
    """The rows of a frozen `base` (size, base_dim), mapped to `dim` by a trained projector: linear, or a perceptron with `hidden` units.

    The product is computed once a step in training. Without gradients it is kept until projector or base change.
    """

    base: Tensor

    def __init__(
        self,
        size: int,
        dim: int,
        base_dim: int | None = None,
        bias: bool = False,
        hidden: int = 0,
        codebook_weight: float = 1.0,
        commitment: float = 0.25,
    ) -> None:
        super().__init__(size, dim, codebook_weight, commitment)
        base_dim = base_dim or dim
        self.register_buffer("base", torch.randn(size, base_dim) * base_dim**-0.5)
        self.projector: nn.Module
        if not hidden:
            self.projector = nn.Linear(base_dim, dim, bias=bias)
        else:
            self.projector = nn.Sequential(nn.Linear(base_dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self._kept: tuple[list[tuple[int, int, torch.device]], list[Tensor], Tensor] | None = None

    @property
    def vectors(self) -> Tensor:
        if torch.is_grad_enabled():
            return self._computed()
        made_of = [self.base, *self.projector.parameters()]
        if any(tensor.is_inference() for tensor in made_of):
            # These do not tell when they are changed.
            return self._computed()
        # Known by place and version; holding on to the memory keeps its address from being given to others.
        held = [tensor.detach() for tensor in made_of]
        known = [(tensor.data_ptr(), tensor._version, tensor.device) for tensor in held]
        kept = self._kept
        if kept is None or kept[0] != known:
            kept = self._kept = known, held, self._computed()
        return kept[2]

    def _computed(self) -> Tensor:
        found: Tensor = self.projector(self.base)
        return found

    def lookup(self, indices: Tensor) -> Tensor:
        found: Tensor = self.projector(nn.functional.embedding(indices, self.base))
        return found


class SimVQ(VectorQuantizer):
    """`codebooks` residual codebooks of `size` vectors C W: C frozen, rows drawn from N(0, 1 / dim), W trained.

    Zhu et al., "Addressing representation collapse in vector quantized models with one linear layer" (arXiv 2411.02038), algorithm 1.
    The published code has a `bias` in the map, and with its option `legacy` the weights 1 and 0.25 of the two distances change places.
    The paper's gradient is straight through; HH-Codec (arXiv 2507.18897) has that by rotation, and a map with `hidden` units.
    """

    def __init__(
        self,
        dim: int,
        codebooks: int = 1,
        size: int = 8192,
        gradient: str = "rotate",
        bias: bool = False,
        hidden: int = 0,
        legacy: bool = False,
    ) -> None:
        weights = (0.25, 1.0) if legacy else (1.0, 0.25)
        super().__init__(dim, [LinearBook(size, dim, None, bias, hidden, *weights) for _ in range(codebooks)], gradient)
