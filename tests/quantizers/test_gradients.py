"""What a gradient becomes on its way through a quantizer."""

from __future__ import annotations

import pytest
import torch
from vector_quantize_pytorch.vector_quantize_pytorch import rotate_to

from wavelex.quantizers.gradients import with_gradient
from wavelex.quantizers.residual import ResidualVQ


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    latents, vectors, gradient = (torch.randn(2, 6, 9, generator=generator) for _ in range(3))
    return latents.requires_grad_(), vectors, gradient


@pytest.mark.parametrize("kind", ["straight", "rotate"])
def test_the_value_is_the_code_s_own(kind: str) -> None:
    latents, vectors, _ = pair()
    torch.testing.assert_close(with_gradient(latents, vectors, kind), vectors, atol=1e-6, rtol=1e-6)


def test_straight_through_is_the_identity() -> None:
    latents, vectors, gradient = pair()
    (with_gradient(latents, vectors, "straight") * gradient).sum().backward()
    assert torch.equal(latents.grad, gradient)


def test_rotation_keeps_the_angle_and_scales_the_norm() -> None:
    latents, vectors, gradient = pair()
    (with_gradient(latents, vectors, "rotate") * gradient).sum().backward()
    cosine = torch.nn.functional.cosine_similarity
    torch.testing.assert_close(cosine(latents.grad, latents, dim=1), cosine(gradient, vectors, dim=1), atol=1e-5, rtol=1e-4)
    ratio = vectors.norm(dim=1) / latents.norm(dim=1)
    torch.testing.assert_close(latents.grad.norm(dim=1), gradient.norm(dim=1) * ratio, atol=1e-5, rtol=1e-4)


def test_rotation_equals_vector_quantize_pytorch() -> None:
    latents, vectors, gradient = pair()
    (with_gradient(latents, vectors, "rotate") * gradient).sum().backward()
    theirs = latents.detach().clone().requires_grad_()
    made = rotate_to(theirs.transpose(1, 2), vectors.transpose(1, 2))
    (made.transpose(1, 2) * gradient).sum().backward()
    torch.testing.assert_close(latents.grad, theirs.grad, atol=1e-5, rtol=1e-4)


def test_vectors_without_a_direction_pass_the_gradient_straight() -> None:
    latents, vectors, gradient = pair()
    with torch.no_grad():
        latents[:, :, 0] = 0
        vectors[:, :, 1] = 0
        vectors[:, :, 2] = -latents[:, :, 2]
    (with_gradient(latents, vectors, "rotate") * gradient).sum().backward()
    assert torch.isfinite(latents.grad).all()
    torch.testing.assert_close(latents.grad[:, :, :3], gradient[:, :, :3])
    assert (latents.grad[:, :, 3] - gradient[:, :, 3]).abs().max() > 0.01


def test_residual_codebooks_turn_the_gradient_once_by_what_they_sum_to() -> None:
    torch.manual_seed(0)
    straight = ResidualVQ(6, 3, 16)
    straight.start(torch.randn(4, 6, 200))
    turned = ResidualVQ(6, 3, 16, gradient="rotate")
    turned.load_state_dict(straight.state_dict())
    latents, _, gradient = pair()
    made = turned.eval()(latents)
    assert torch.equal(made.codes, straight.eval()(latents).codes)
    (made.latents * gradient).sum().backward()
    expected = latents.detach().clone().requires_grad_()
    (with_gradient(expected, straight.decode(made.codes), "rotate") * gradient).sum().backward()
    torch.testing.assert_close(latents.grad, expected.grad, atol=1e-5, rtol=1e-4)


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="straight, rotate"):
        ResidualVQ(6, 3, 16, gradient="sideways")
