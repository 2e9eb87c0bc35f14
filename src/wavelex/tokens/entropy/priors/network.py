"""What the neural prior computes, as a torch module to be trained with the arithmetic of the integers it will be coded with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from wavelex.tokens.entropy.priors.inputs import HIDDEN_SCALE, INPUT_SCALE, SIGNED, UNSIGNED, WEIGHT_SCALE, context_width
from wavelex.tokens.entropy.priors.neural import NeuralPrior


class PriorNetwork(nn.Module):
    """Logits of each codebook's code from the past frames and the coarser codes of the frame itself.

    Every weight is used as a multiple of 1 / WEIGHT_SCALE within 8 bits and every hidden value as one of 256 steps, so the
    integer prior made of it gives the same logits. Gradients pass the roundings unchanged (Bengio et al. 2013).
    """

    def __init__(self, codebooks: int, size: int, dim: int, hidden: int = 128) -> None:
        super().__init__()
        self.codebooks, self.size, self.dim, self.hidden = codebooks, size, dim, hidden
        seen = context_width(dim)
        self.context = nn.Parameter(torch.randn(seen, codebooks * hidden) * (0.5 / seen**0.5))
        self.partial = nn.Parameter(torch.randn(codebooks, dim, hidden) * (0.5 / dim**0.5))
        self.first_bias = nn.Parameter(torch.zeros(codebooks * hidden))
        self.second = nn.Parameter(torch.randn(codebooks, hidden, hidden) * hidden**-0.5)
        self.second_bias = nn.Parameter(torch.zeros(codebooks, hidden))
        self.out = nn.Parameter(torch.randn(codebooks, hidden, size) * (0.5 / hidden**0.5))
        self.out_bias = nn.Parameter(torch.zeros(codebooks, size))

    def forward(self, contexts: Tensor, partial: Tensor) -> Iterator[Tensor]:
        """Whole-numbered inputs: contexts (n, context_width), sums (codebooks, n, dim) -> logits (n, size), book by book."""
        seen = (contexts / INPUT_SCALE) @ _weights(self.context) + self.first_bias
        for book, from_contexts in enumerate(seen.view(len(contexts), self.codebooks, self.hidden).unbind(1)):
            first = _hidden(from_contexts + (partial[book] / INPUT_SCALE) @ _weights(self.partial[book]))
            second = _hidden(first @ _weights(self.second[book]) + self.second_bias[book])
            yield second @ _weights(self.out[book]) + self.out_bias[book]


def _weights(w: Tensor) -> Tensor:
    return w + ((w * WEIGHT_SCALE).round().clamp(-SIGNED, SIGNED) / WEIGHT_SCALE - w).detach()


def _hidden(x: Tensor) -> Tensor:
    clipped = x.clamp(0, UNSIGNED / HIDDEN_SCALE)
    return clipped + ((clipped * HIDDEN_SCALE).round() / HIDDEN_SCALE - clipped).detach()


_SCALES = {
    **dict.fromkeys(("context", "partial", "second", "out"), WEIGHT_SCALE),
    "first_bias": INPUT_SCALE * WEIGHT_SCALE,
    "second_bias": HIDDEN_SCALE * WEIGHT_SCALE,
    "out_bias": HIDDEN_SCALE * WEIGHT_SCALE,
}
_LARGEST_BIAS = 2**22


def whole_prior(network: PriorNetwork, vectors: np.ndarray) -> NeuralPrior:
    """The whole-numbered form of a trained network for whole code vectors (codebooks, size, dim).

    Raises ValueError where sums could leave what float32 holds exactly.
    """
    whole: dict[str, np.ndarray] = {"vectors": vectors}
    for name, value in network.named_parameters():
        bias = name.endswith("bias")
        limit = _LARGEST_BIAS if bias else SIGNED
        rounded = np.clip(np.round(value.detach().numpy().astype(np.float64) * _SCALES[name]), -limit, limit)
        whole[name] = rounded.astype(np.int32 if bias else np.int8)
    return NeuralPrior(whole)


def network_of(prior: NeuralPrior) -> PriorNetwork:
    """The network that a prior was made of, to be trained on."""
    made = PriorNetwork(len(prior.sizes), prior.sizes[0], prior.dim, prior.hidden)
    made.load_state_dict({name: torch.from_numpy(prior.tensors[name].astype(np.float32) / scale) for name, scale in _SCALES.items()})
    return made
