"""The balancer gives the gradient at the samples the shares that it was asked for, and keeps out of what is not its business."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from wavelex.training.balancer import Balancer


def losses_of(samples: Tensor, target: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
    return {"near": (samples - target).abs().mean(), "power": scale * samples.square().mean()}


def sent_back(balancer: Balancer, weights: dict[str, float], seed: int = 0, scale: float = 1.0) -> tuple[Tensor, dict[str, Tensor]]:
    """What arrives at the samples, and the plain gradient of each term."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(3, 1, 40, generator=generator, requires_grad=True)
    samples = source * 1.0
    losses = losses_of(samples, torch.randn(3, 1, 40, generator=generator), scale)
    plain = {term: torch.autograd.grad(loss, samples, retain_graph=True)[0] for term, loss in losses.items()}
    balancer.backward(losses, weights, samples)
    assert source.grad is not None
    return source.grad, plain


def test_the_published_formula() -> None:
    """Section 3.4, with R = 1: the sum of weight / (sum of weights) * g / (running mean of |g|), |g| for each clip."""
    weights, decay = {"near": 3.0, "power": 1.0}, 0.9
    balancer = Balancer(list(weights), decay)
    norms: dict[str, list[float]] = {term: [] for term in weights}
    for step in range(4):
        found, plain = sent_back(balancer, weights, seed=step, scale=10.0**step)
        expected = torch.zeros_like(found)
        for term, gradient in plain.items():
            norms[term].append(float(gradient.flatten(1).norm(dim=1).mean()))
            fading = [decay ** (step - index) for index in range(step + 1)]
            mean = sum(f * norm for f, norm in zip(fading, norms[term], strict=True)) / sum(fading)
            expected += weights[term] / 4 * gradient / mean
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_shares_do_not_depend_on_the_size_of_the_losses(scale: float) -> None:
    weights = {"near": 3.0, "power": 1.0}
    found, plain = sent_back(Balancer(list(weights)), weights, scale=scale)
    units = {term: gradient / gradient.flatten(1).norm(dim=1).mean() for term, gradient in plain.items()}
    torch.testing.assert_close(found, 0.75 * units["near"] + 0.25 * units["power"], rtol=1e-5, atol=1e-8)


def test_what_the_samples_do_not_enter_is_weighted_as_ever_and_heads_learn() -> None:
    source, head = torch.randn(2, 1, 10, requires_grad=True), nn.Parameter(torch.ones(()))
    samples = source * 1.0
    losses = {"near": (head * samples).square().mean(), "commitment": source.square().sum(), "absent": torch.zeros(())}
    plain_samples, plain_head = torch.autograd.grad(losses["near"], [samples, head], retain_graph=True)
    balancer = Balancer(["near", "commitment", "absent"])
    balancer.backward(losses, {"near": 5.0, "commitment": 0.5, "absent": 1.0}, samples, [head], share=0.5)
    unit = float(plain_samples.flatten(1).norm(dim=1).mean())
    torch.testing.assert_close(source.grad, 0.5 * (plain_samples / unit + source.detach()))
    torch.testing.assert_close(head.grad, 0.5 * plain_head / unit)
    assert float(balancer.means["commitment"].sum()) == 0


def test_a_gradient_that_is_not_finite_leaves_nothing_behind() -> None:
    weights = {"near": 3.0, "power": 1.0}
    balancer = Balancer(list(weights))
    sent_back(balancer, weights)
    before = {term: mean.clone() for term, mean in balancer.means.items()}
    sent_back(balancer, weights, seed=1, scale=float("inf"))
    assert torch.equal(balancer.means["power"], before["power"]) and not torch.equal(balancer.means["near"], before["near"])
