"""Mimi at its published size beside transformers' `MimiModel`."""

from __future__ import annotations

import pytest
import torch
from transformers import MimiConfig, MimiModel

from wavelex.designs import build
from wavelex.designs.convert.mimi import CONVERTER
from wavelex.designs.convert.tensors import Tensors

pytestmark = pytest.mark.parity


def test_latents_codes_and_samples_are_those_of_transformers() -> None:
    torch.manual_seed(0)
    config = MimiConfig()
    published = MimiModel(config).eval()
    with torch.no_grad():
        for name, tensor in [*published.named_parameters(), *published.named_buffers()]:
            if name.endswith("embed_sum"):
                # About as large as what is quantized, so that codes differ and no two vectors are equally near.
                tensor.normal_()
            elif name.endswith("cluster_usage"):
                tensor.uniform_(0.5, 2.0)
            elif name.endswith("scale"):
                # Published ones are learned; as they begin, the transformers would hardly be heard.
                tensor.uniform_(0.1, 0.5)
    design, arguments, ours = CONVERTER.convert(Tensors(published.state_dict()), config.to_dict())
    model = build(design, arguments).eval()
    model.load_state_dict(ours)
    # Longer than the transformers' window of 250 steps (10 s), and no whole number of frames.
    samples = 0.3 * torch.randn(1, 1, 11 * 24_000 + 77)
    with torch.no_grad():
        expected = published.encoder(samples).latents
        latents = model.latents(samples)
        torch.testing.assert_close(latents, expected, atol=1e-5 * float(expected.abs().max()), rtol=0)
        codes = published.quantizer.encode(expected).transpose(0, 1)
        assert torch.equal(model.quantizer.encode(expected), codes)
        assert len(codes.unique()) > 1000
        decoded = published.decode(codes).audio_values
        torch.testing.assert_close(model.decode(codes), decoded, atol=1e-5 * float(decoded.abs().max()), rtol=0)
