"""How a gradient passes a quantizer: straight through, or turned as the vector was turned."""

from __future__ import annotations

import torch
from torch import Tensor

GRADIENTS = ("straight", "rotate")
LEAST_NORM = 1e-6
"""Shorter vectors have no direction to turn from or to; their gradient passes straight through."""


def with_gradient(latents: Tensor, vectors: Tensor, gradient: str) -> Tensor:
    """`vectors`, with a gradient to `latents`, both (batch, dim, frames), as a kind of GRADIENTS has it."""
    if gradient == "straight":
        return straight_through(latents, vectors)
    if gradient == "rotate":
        return rotated(latents, vectors)
    raise ValueError(f"gradient {gradient!r}; choose from {', '.join(GRADIENTS)}")


def straight_through(latents: Tensor, vectors: Tensor) -> Tensor:
    """`vectors`, with the gradient of the identity to `latents` (Bengio et al., arXiv 1308.3432)."""
    return latents + (vectors - latents).detach()


def rotated(latents: Tensor, vectors: Tensor) -> Tensor:
    """`vectors` (batch, dim, frames) as a fixed rotation and scaling of `latents`, through which the gradient passes backwards.

    Fifty et al., "Restructuring vector quantization with the rotation trick" (arXiv 2410.06424), section 4.2: with unit vectors e of the
    latent and q of the code and w the unit vector of e + q, the rotation is I - 2 w w' + 2 q e'. The angle between a gradient and its
    vector stays what it was; its norm is multiplied by that of the code over that of the latent. Straight through where a vector is
    (nearly) zero or the two point in opposite directions, as neither defines a rotation.
    """
    found, wanted = latents.detach(), vectors.detach()
    norm, wanted_norm = (x.norm(dim=1, keepdim=True) for x in (found, wanted))
    e, q = found / norm.clamp(min=LEAST_NORM), wanted / wanted_norm.clamp(min=LEAST_NORM)
    between = e + q
    length = between.norm(dim=1, keepdim=True)
    w = between / length.clamp(min=LEAST_NORM)
    along = (latents * w).sum(1, keepdim=True)
    turned = (latents - 2 * along * w + 2 * (latents * e).sum(1, keepdim=True) * q) * (wanted_norm / norm.clamp(min=LEAST_NORM))
    defined = (norm > LEAST_NORM) & (wanted_norm > LEAST_NORM) & (length > LEAST_NORM)
    # The value is the code's own, not what rounding makes of its rotation.
    turned = turned + (wanted - turned).detach()
    return torch.where(defined, turned, straight_through(latents, vectors))
