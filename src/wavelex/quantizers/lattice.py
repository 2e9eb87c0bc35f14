"""Lattice quantization: codes are whole coordinates in a learned basis; the lattice needs no table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.quantizers.base import Quantized, Quantizer

FORMS = ("diagonal", "rotated", "free")


class LatticeVQ(Quantizer):
    """The lattice point G k for each frame, k = round(G^-1 z) cut to -`reach` ... `reach`: `dim` codes of 2 * reach + 1 a frame.

    `diagonal`: G holds a step for each channel (Khalil et al., "LL-VQ-VAE", arXiv 2310.09382). `free`: any basis, in which rounding is
    Babai's and not always the nearest point (as in grouped lattice quantization, GLVQ, of weights). `rotated`: steps along orthogonal
    directions, where rounding is the nearest point; `start` turns it to the principal components of the latents, the largest first, so
    that a prefix of the codes holds most of them.

    The gradient passes straight through to the latents. The loss is the distance of points to latents, which the basis learns by with
    the coordinates as they are, and `commitment` times the same for the encoder, less `spread` times the sum of the steps' lengths:
    wider lattices use fewer of their points.
    """

    additive = True
    centre: Tensor
    fitted: Tensor
    rotation: Tensor

    def __init__(self, dim: int, reach: int = 3, form: str = "rotated", commitment: float = 0.25, spread: float = 0.0) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"form {form!r}; choose from {', '.join(FORMS)}")
        self.dim, self.reach, self.form, self.commitment, self.spread = dim, reach, form, commitment, spread
        self.steps = nn.Parameter(torch.eye(dim) if form == "free" else torch.ones(dim))
        # Of a rotation, what it was turned by since `start`.
        self.turned = nn.Parameter(torch.zeros(dim, dim)) if form == "rotated" else None
        self.register_buffer("rotation", torch.eye(dim))
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("fitted", torch.tensor(False))

    @property
    def codebook_sizes(self) -> list[int]:
        return [2 * self.reach + 1] * self.dim

    @property
    def basis(self) -> Tensor:
        """G (dim, dim); the columns are what a coordinate of one adds."""
        if self.form == "free":
            return self.steps
        if self.turned is None:
            return torch.diag(self.steps)
        turn: Tensor = torch.linalg.matrix_exp(self.turned - self.turned.T)
        return torch.matmul(self.rotation, turn) * self.steps

    def forward(self, latents: Tensor, num_codebooks: int | Tensor | None = None) -> Quantized:
        counts = self.counts(num_codebooks, latents)
        with torch.autocast(latents.device.type, enabled=False):
            found, basis = self._full(latents), self.basis
            coordinates = self._coordinates(found, basis)
            used = (torch.arange(self.dim, device=latents.device) < counts[:, None])[..., None].expand_as(coordinates)
            points = self._points(coordinates * used, basis, used[:, 0])
            loss = (points - found.detach()).square().mean() + self.commitment * (points.detach() - found).square().mean()
            if self.spread:
                loss = loss - self.spread * basis.norm(dim=0).sum()
            codes = torch.where(used, coordinates.long() + self.reach, -1)[:, : int(counts.max())]
            return Quantized(found + (points - found).detach(), codes, loss)

    @torch.no_grad()
    def encode(self, latents: Tensor, num_codebooks: int | None = None, beams: Sequence[int] = (1,)) -> Tensor:
        """Babai's rounding, whatever the `beams`."""
        self.counts(num_codebooks, latents)
        with torch.autocast(latents.device.type, enabled=False):
            coordinates = self._coordinates(self._full(latents), self.basis)
            return coordinates.long()[:, :num_codebooks] + self.reach

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (batch, n, frames), n from 1 to all, to latents (batch, dim, frames); -1 adds nothing."""
        self.counts(codes.shape[1], codes)
        codes = nn.functional.pad(codes, (0, 0, 0, self.dim - codes.shape[1]), value=-1)
        there = codes >= 0
        return self._points((codes - self.reach) * there, self.basis, there[:, 0])

    @property
    def started(self) -> bool:
        return bool(self.fitted)

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Steps such that points reach 3.5 standard deviations of latents (batch, dim, frames), about their mean."""
        rows = self._full(latents).transpose(1, 2).flatten(0, 1)
        self.centre.copy_(rows.mean(0))
        covariance = torch.cov(rows.T).view(self.dim, self.dim)
        step = 3.5 / (self.reach + 0.5)
        if self.form == "diagonal":
            self.steps.copy_(covariance.diagonal().sqrt() * step)
        elif self.form == "free":
            least = 1e-6 * covariance.diagonal().mean() * torch.eye(self.dim, device=rows.device)
            self.steps.copy_(torch.linalg.cholesky(covariance + least) * step)
        else:
            values, vectors = torch.linalg.eigh(covariance)
            self.rotation.copy_(vectors.flip(1))
            self.steps.copy_(values.flip(0).clamp(min=1e-6 * values.max()).sqrt() * step)
        self.fitted.fill_(True)

    def _full(self, latents: Tensor) -> Tensor:
        return latents.to(torch.promote_types(latents.dtype, torch.float32))

    def _coordinates(self, latents: Tensor, basis: Tensor) -> Tensor:
        """Whole ones, without a gradient."""
        inverse: Tensor = torch.linalg.inv(basis.detach())
        inner = torch.matmul(inverse, latents.detach() - self.centre[:, None])
        return inner.round().clamp(-self.reach, self.reach)

    def _points(self, coordinates: Tensor, basis: Tensor, first: Tensor) -> Tensor:
        """Of coordinates (batch, dim, frames), about the centre where there is a first code."""
        return torch.matmul(basis, coordinates.to(basis.dtype)) + self.centre[:, None] * first[:, None]
