"""The Vocos decoder is the published one."""

from __future__ import annotations

import pytest
import torch
from fixtures import load_fixture, relative_error

from wavelex.decoders.vocos import VocosDecoder
from wavelex.designs.convert.tensors import Tensors
from wavelex.designs.convert.vocos_parts import decoder_rows, decoder_sizes, decoder_tensors


@pytest.mark.parametrize(("name", "center"), [("vocos_mel", True), ("vocos_mel_same", False)])
def test_it_is_the_published_decoder(name: str, center: bool) -> None:
    fixture = load_fixture(name)
    tensors = Tensors(fixture.state)
    decoder = VocosDecoder(tensors.shape("backbone.embed.weight")[1], **decoder_sizes(tensors), hop_length=256, center=center).eval()
    assert not decoder_rows(tensors)
    decoder.load_state_dict(decoder_tensors(tensors))
    tensors.skip(name for name in tensors.names() if name.startswith("feature_extractor."))
    tensors.done()
    with torch.no_grad():
        output = decoder(fixture.tensors["features"])[:, 0]
    published = fixture.tensors["output"]
    # With `center` the published code leaves out the last hop.
    assert output.shape[1] - published.shape[1] == (256 if center else 0)
    assert relative_error(output[:, : published.shape[1]], published) < 2e-6
