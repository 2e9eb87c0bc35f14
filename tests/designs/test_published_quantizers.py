"""Quantizers give what the published ones gave, on the same weights."""

from __future__ import annotations

import pytest
import torch
from fixtures import load_fixture, relative_error

from wavelex.quantizers.binary import Binary
from wavelex.quantizers.finite_scalar import FiniteScalar
from wavelex.quantizers.sim import SimVQ


def test_equals_the_published_code_of_x_codec_2() -> None:
    fixture = load_fixture("xcodec2_hf")
    quantizer = FiniteScalar(8, fixture.header["config"]["quantization_levels"], form="tanh twice")
    x = fixture.tensors["fsq.input"].transpose(1, 2)
    assert torch.equal(quantizer.encode(x)[:, 0], fixture.tensors["fsq.indices"].long())
    torch.testing.assert_close(quantizer(x).latents.transpose(1, 2), fixture.tensors["fsq.values"])
    mapped = FiniteScalar(88, fixture.header["config"]["quantization_levels"], form="tanh twice")
    with torch.no_grad():
        for ours, name in ((mapped.into, "project_in"), (mapped.out_of, "project_out")):
            ours.weight.copy_(fixture.state[f"quantizer.{name}.weight"][:, :, None])
        mapped.into.bias.copy_(fixture.state["quantizer.project_in.bias"])
        mapped.bias.copy_(fixture.state["quantizer.project_out.bias"])
    made = mapped(fixture.tensors["latents"])
    assert torch.equal(made.codes, fixture.tensors["codes"].long())
    torch.testing.assert_close(made.latents, fixture.tensors["quantized"], atol=1e-5, rtol=1e-5)


def test_equals_the_published_code_of_the_s3_tokenizer() -> None:
    fixture = load_fixture("s3tokenizer_v2")
    quantizer = FiniteScalar(128, (3,) * 8, margin=-1e-3)
    with torch.no_grad():
        quantizer.into.weight.copy_(fixture.state["quantizer._codebook.project_down.weight"][:, :, None])
        quantizer.into.bias.copy_(fixture.state["quantizer._codebook.project_down.bias"])
    lengths = fixture.tensors["codes_lengths"].tolist()
    codes = quantizer.encode(fixture.tensors["latents"].transpose(1, 2))[:, 0]
    for item, length in enumerate(lengths):
        assert torch.equal(codes[item, :length], fixture.tensors["codes"][item, :length].long())


def test_equals_the_published_code_of_focalcodec() -> None:
    fixture = load_fixture("focalcodec")
    quantizer = Binary(8, 8)
    made = quantizer(fixture.tensors["latents"].transpose(1, 2))
    assert torch.equal(made.codes[:, 0], fixture.tensors["codes"].long())
    torch.testing.assert_close(made.latents.transpose(1, 2), fixture.tensors["quantized"])


@pytest.mark.parametrize("form", ["fixed", "legacy"])
def test_equals_the_published_code_of_simvq(form: str) -> None:
    fixture = load_fixture("simvq")
    quantizer = SimVQ(16, size=64, gradient="straight", bias=True, legacy=form == "legacy")
    book = quantizer.books[0]
    book.base.copy_(fixture.state[f"{form}.embedding.weight"])
    with torch.no_grad():
        book.projector.weight.copy_(fixture.state[f"{form}.embedding_proj.weight"])
        book.projector.bias.copy_(fixture.state[f"{form}.embedding_proj.bias"])
    x = fixture.tensors["input"][:, :, 0].requires_grad_()
    made = quantizer(x)
    assert torch.equal(made.codes[:, 0], fixture.tensors[f"{form}.codes"].long())
    assert relative_error(made.latents.detach(), fixture.tensors[f"{form}.quantized"][:, :, 0]) < 1e-5
    torch.testing.assert_close(made.loss, fixture.tensors[f"{form}.loss"], atol=1e-6, rtol=1e-5)
    made.loss.backward()
    assert relative_error(x.grad, fixture.tensors[f"{form}.grad_z"][:, :, 0]) < 1e-5
    assert relative_error(book.projector.weight.grad, fixture.tensors[f"{form}.grad_proj"]) < 1e-5


def test_equals_the_published_code_of_hh_codec() -> None:
    fixture = load_fixture("hhcodec_vq")
    quantizer = SimVQ(16, 2, 64)
    for index, book in enumerate(quantizer.books):
        book.base.copy_(fixture.state[f"layers.{index}.frozen_codebook"])
        with torch.no_grad():
            book.projector.weight.copy_(fixture.state[f"layers.{index}.code_transform.weight"])
    made = quantizer(fixture.tensors["input"])
    assert torch.equal(made.codes.transpose(1, 2), fixture.tensors["codes"].long())
    assert relative_error(made.latents.detach(), fixture.tensors["quantized"]) < 1e-5
    assert relative_error(quantizer.decode(made.codes[:, :1]).detach(), fixture.tensors["first_quantized"]) < 1e-5
    torch.testing.assert_close(made.loss, fixture.tensors["losses"].mean())
