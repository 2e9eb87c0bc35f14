"""Losses that count by their share of the gradient, whatever their size (EnCodec, arXiv 2210.13438, section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from wavelex.training.distributed import ALONE, Ranks


class Balancer:
    """Rescales the gradient g of each term at the decoded samples to weight / (sum of weights) * g / mean of |g|.

    |g| is the norm for each clip; its mean is over the clips and, with a decay, over the steps before. Terms that the samples do not
    enter, such as the quantizer's commitment, are not its business.
    """

    def __init__(self, terms: Sequence[str], decay: float = 0.999) -> None:
        self.decay = decay
        self.means = {term: torch.zeros(2, dtype=torch.float64) for term in terms}
        """By term: the decayed sum of the norms and that of ones, whose quotient is the mean."""

    def backward(
        self,
        losses: Mapping[str, Tensor],
        weights: Mapping[str, float],
        samples: Tensor,
        heads: Sequence[nn.Parameter] = (),
        share: float = 1.0,
        ranks: Ranks = ALONE,
    ) -> None:
        """Send the balanced gradient back from the samples (batch, 1, T), and with it the weighted terms that the samples do not enter.

        `heads` are parameters behind the samples; their gradients are scaled like those at the samples. All of it times `share`.
        """
        learning = [head for head in heads if head.requires_grad]
        found = {}
        for term, loss in losses.items():
            if loss.requires_grad:
                gradients = torch.autograd.grad(loss, [samples, *learning], retain_graph=True, allow_unused=True)
                if gradients[0] is not None:
                    found[term] = gradients
        scales = self._scales({term: gradients[0] for term, gradients in found.items()}, weights, ranks)
        for index, head in enumerate(learning, 1):
            for term, gradients in found.items():
                if gradients[index] is not None:
                    change = share * scales[term] * gradients[index]
                    head.grad = change if head.grad is None else head.grad + change
        rest = [weights[term] * loss for term, loss in losses.items() if term not in found and loss.requires_grad]
        ends: list[tuple[Tensor, Tensor | None]] = [(share * loss, None) for loss in rest]
        if found:
            ends.append((samples, share * torch.stack([scales[term] * gradients[0] for term, gradients in found.items()]).sum(0)))
        if ends:
            torch.autograd.backward([end for end, _ in ends], [gradient for _, gradient in ends])

    def _scales(self, gradients: Mapping[str, Tensor], weights: Mapping[str, float], ranks: Ranks) -> dict[str, float]:
        """What each term's gradient at the samples is multiplied with, after it has been measured."""
        self._measure({term: gradient.flatten(1).norm(dim=1).mean() for term, gradient in gradients.items()}, ranks)
        whole = sum(weights[term] for term in gradients)
        means = {term: float(self.means[term][0] / self.means[term][1]) for term in gradients}
        return {term: weights[term] / whole / (mean + 1e-12) for term, mean in means.items()}

    def _measure(self, norms: Mapping[str, Tensor], ranks: Ranks) -> None:
        """Take the norms of a step, of the terms that have any, into the running means; of several processes, their mean."""
        found = dict(zip(norms, torch.stack(list(norms.values())).tolist(), strict=True)) if norms else {}
        measured = torch.tensor([[found.get(term, 0.0), float(term in found)] for term in self.means], dtype=torch.float64)
        shared = measured.to(ranks.device)
        ranks.add(shared)
        for mean, (total, count) in zip(self.means.values(), shared.tolist(), strict=True):
            # A step that is not finite is skipped, and must leave nothing behind.
            if count and math.isfinite(total):
                mean.mul_(self.decay).add_(torch.tensor([total / count, 1.0], dtype=torch.float64))
