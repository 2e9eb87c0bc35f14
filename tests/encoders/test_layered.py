"""Layers in a row as an encoder and as a decoder: hop and look-ahead are those of the layers."""

from __future__ import annotations

import pytest
import torch

from wavelex.decoders.layered import LayeredDecoder
from wavelex.encoders.layered import LayeredEncoder
from wavelex.nn.padded import PaddedConv1d, PaddedConvTranspose1d
from wavelex.nn.transformer import TransformerLayer


def down(stride: int, ahead: int = 0) -> PaddedConv1d:
    return PaddedConv1d(1, 1, stride + ahead, stride, right=ahead)


def up(stride: int) -> PaddedConvTranspose1d:
    return PaddedConvTranspose1d(1, 1, stride, stride)


def layer(lookahead: int) -> TransformerLayer:
    return TransformerLayer(4, 8, 2, 5, lookahead)


def test_an_encoder_has_the_hop_and_the_lookahead_of_its_layers() -> None:
    encoder = LayeredEncoder(4, down(2, ahead=3), down(5), PaddedConv1d(1, 4, 1), layer(2), layer(1), pads=True)
    assert (encoder.dim, encoder.hop_length, encoder.lookahead, encoder.pads) == (4, 10, 3 + 3 * 10, True)
    x = torch.randn(2, 1, 200)
    with torch.no_grad():
        given, _ = encoder.step(x[..., : 50 + encoder.lookahead], encoder.initial_state(2, x))
        assert given.shape == (2, 4, 5)
        assert encoder(x).shape == (2, 4, 20)


def test_a_decoder_has_the_hop_and_the_lookahead_of_its_layers() -> None:
    decoder = LayeredDecoder(4, layer(2), PaddedConv1d(4, 1, 1), up(5), up(2))
    assert (decoder.dim, decoder.hop_length, decoder.lookahead, decoder.pads) == (4, 10, 20, False)
    x = torch.randn(2, 4, 9)
    with torch.no_grad():
        assert decoder.step(x, decoder.initial_state(2, x))[0].shape == (2, 1, 70)
        assert decoder(x).shape == (2, 1, 90)


def test_layers_that_keep_another_time_are_refused() -> None:
    with pytest.raises(ValueError, match="no encoder"):
        LayeredEncoder(1, down(3), up(2))
    with pytest.raises(ValueError, match="no decoder"):
        LayeredDecoder(1, up(2), down(3))
