"""Noise and dropped tails: in training only, with the chances they say, and nothing else changed."""

from __future__ import annotations

import pytest
import torch
from contract import keeps_the_contract, latents, survives_storage

from wavelex.errors import WavelexError
from wavelex.quantizers.base import Quantizer
from wavelex.quantizers.finite_scalar import FiniteScalar
from wavelex.quantizers.noise import Perturbed
from wavelex.quantizers.residual import ResidualVQ
from wavelex.quantizers.sim import SimVQ
from wavelex.quantizers.tail_drop import TailDrop

KINDS = {
    "noise": lambda: Perturbed(SimVQ(12, 2, 32), 12, 0.3, 0.5),
    "tails": lambda: TailDrop(SimVQ(12, 2, 32), 8),
    "both": lambda: TailDrop(Perturbed(FiniteScalar(12, (5, 5, 5), groups=2), 12), 8),
    "of averages": lambda: Perturbed(ResidualVQ(12, 2, 32), 12),
}


def built(kind: str) -> Quantizer:
    torch.manual_seed(0)
    quantizer = KINDS[kind]()
    if not quantizer.started:
        quantizer.start(latents(12, 400))
    return quantizer


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_and_the_inner_quantizer_unchanged(kind: str) -> None:
    quantizer = built(kind)
    keeps_the_contract(quantizer, 12)
    survives_storage(quantizer, KINDS[kind](), 12)
    x, inner = latents(12), quantizer
    while hasattr(inner, "inner"):
        inner = inner.inner
    assert torch.equal(quantizer.eval()(x).latents, inner.eval()(x).latents)
    assert quantizer.layout == inner.layout
    assert len(quantizer.usage()) == len(inner.usage())


def test_replaced_frames_send_no_gradient_and_are_as_many_as_said() -> None:
    torch.manual_seed(0)
    quantizer = Perturbed(FiniteScalar(4, (5, 5, 5, 5)), 4, replace=0.3).train()
    x = latents(4, 2000).requires_grad_()
    quantizer(x).latents.sum().backward()
    assert float((x.grad.abs().sum(1) == 0).float().mean()) == pytest.approx(0.3, abs=0.03)


def test_noise_is_as_spread_as_the_latents() -> None:
    torch.manual_seed(0)
    quantizer = Perturbed(FiniteScalar(2, (5, 5)), 2, replace=1.0, spread=2.0).train()
    x = latents(2, 3000) * torch.tensor([0.1, 3.0])[:, None] + 5.0
    for _ in range(3):
        quantizer(x)
    noise = quantizer._with_noise(x)
    torch.testing.assert_close(noise.std((0, 2)), torch.tensor([0.2, 6.0]), rtol=0.05, atol=0)


def test_the_decoder_s_spectrum_is_as_the_paper_says() -> None:
    """A sine of the latents, behind frames replaced by noise, keeps (1 - p) + p exp(-s^2 w^2 / 2) of itself on average."""
    torch.manual_seed(0)
    share, omega = 0.3, 1.3

    class Through(FiniteScalar):
        def forward(self, latents: torch.Tensor, num_codebooks: int | torch.Tensor | None = None):  # type: ignore[no-untyped-def]
            return super().forward(latents, num_codebooks)._replace(latents=latents)

    quantizer = Perturbed(Through(1, (5,)), 1, replace=share).train()
    x = latents(1, 200_000, 1)
    y = quantizer(x).latents
    wave = torch.complex((omega * x).cos(), (omega * x).sin())
    heard = torch.complex((omega * y).cos(), (omega * y).sin())
    # Against the latent itself: a replaced frame is on average the Gaussian's characteristic function, whatever was there.
    kept = float((heard * wave.conj()).real.mean())
    expected = (1 - share) + share * float(torch.tensor(-(omega**2) / 2).exp()) ** 2
    assert kept == pytest.approx(expected, abs=0.01)


def test_items_that_skip_are_their_latents() -> None:
    torch.manual_seed(0)
    quantizer = Perturbed(SimVQ(12, size=32), 12, replace=0.0, skip=0.5).train()
    x = latents(12, 10, 200)
    same = (quantizer(x).latents == x).flatten(1).all(1)
    assert float(same.float().mean()) == pytest.approx(0.5, abs=0.1)
    torch.testing.assert_close(quantizer(x).loss, quantizer.inner(x).loss)


def test_tails_are_dropped_with_equal_chances() -> None:
    torch.manual_seed(0)
    quantizer = TailDrop(SimVQ(12, 2, 32), 4).train()
    x = latents(12, 10, 2000)
    made = quantizer(x)
    there = (made.codes[:, 0] >= 0).float()
    torch.testing.assert_close(there.mean(0)[:4], torch.tensor([1.0, 0.75, 0.5, 0.25]), atol=0.05, rtol=0)
    assert torch.equal(there[:, :4], there[:, 4:8])
    torch.testing.assert_close(quantizer.decode(made.codes), made.latents.detach(), atol=1e-5, rtol=1e-5)


def test_codes_are_cut_to_the_first_frames_of_each_block() -> None:
    quantizer = TailDrop(SimVQ(12, 2, 32), 4)
    codes = quantizer.encode(latents(12, 10))
    kept = quantizer.kept(codes, 3)
    assert torch.equal(kept[:, :, [0, 1, 2, 4, 5, 6, 8, 9]], codes[:, :, [0, 1, 2, 4, 5, 6, 8, 9]])
    assert (kept[:, :, [3, 7]] == -1).all()
    with pytest.raises(WavelexError, match="1 to 4"):
        quantizer.kept(codes, 5)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Perturbed(SimVQ(12, size=32), 12, replace=1.2)
    with pytest.raises(ValueError, match="at least 1"):
        TailDrop(SimVQ(12, size=32), 0)
