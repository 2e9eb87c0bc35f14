"""Quantizers give what the published ones gave, on the same weights."""

from __future__ import annotations

import torch
from fixtures import load_fixture

from wavelex.quantizers.finite_scalar import FiniteScalar


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
