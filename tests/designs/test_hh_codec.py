"""HH-Codec's quantizer as its authors' code computes it, on the same weights; the codec as a whole was not published."""

from __future__ import annotations

import torch
from fixtures import load_fixture, relative_error

from wavelex.quantizers.gradients import rotated
from wavelex.quantizers.leading import LeadingVQ
from wavelex.quantizers.sim import SimVQ


def test_the_quantizer_is_that_published() -> None:
    fixture = load_fixture("hhcodec_vq")
    theirs = fixture.tensors
    inner = SimVQ(16, 2, 64)
    with torch.no_grad():
        for index, book in enumerate(inner.books):
            book.base.copy_(fixture.state[f"layers.{index}.frozen_codebook"])
            book.projector.weight.copy_(fixture.state[f"layers.{index}.code_transform.weight"])
    quantizer, z = LeadingVQ(inner), theirs["input"].clone().requires_grad_(True)
    made = quantizer(z)
    assert quantizer.codebook_sizes == [64]
    assert torch.equal(made.codes[:, 0], theirs["first_codes"])
    assert torch.equal(quantizer.encode(z), made.codes)
    assert torch.equal(inner.encode(z), theirs["codes"].transpose(1, 2))
    torch.testing.assert_close(made.latents, theirs["first_quantized"])
    torch.testing.assert_close(quantizer.decode(made.codes), theirs["first_quantized"])
    torch.testing.assert_close(made.loss, theirs["losses"].mean())
    # Published is the gradient of the sum of both layers, each of which turns it; the decoder sees that of the first alone.
    wanted = torch.linspace(-1, 1, z.numel()).view_as(z)
    made.latents.backward(wanted)
    second = (theirs["input"] - theirs["first_quantized"]).requires_grad_(True)
    rotated(second, theirs["second_quantized"]).backward(wanted)
    assert relative_error(z.grad + second.grad, theirs["grad_z_from_quantized"]) < 1e-5
