"""Vocos for EnCodec's tokens is the published one, with EnCodec's weights inside its checkpoint or beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import load_fixture, relative_error

from wavelex.codec.codec import Codec
from wavelex.designs import build
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError
from wavelex.tokens.tokens import AudioTokens

TOLERANCE = 1e-5
ENCODEC = "feature_extractor.encodec."


def test_it_is_the_published_codec_at_each_bit_rate(tmp_path: Path) -> None:
    fixture = load_fixture("vocos_encodec")
    model = import_checkpoint(fixture.checkpoint(tmp_path), fixture.header["config"]).model
    theirs, samples = fixture.tensors, fixture.tensors["input"][:, None]
    assert model.arguments["rates"] == [2, 4, 8]
    with torch.no_grad():
        assert relative_error(model.latents(samples), theirs["latents"]) < TOLERANCE
        for rate, count in (("", 8), ("_low", 2)):
            codes = theirs[f"codes{rate}"].transpose(0, 1)
            assert torch.equal(model.encode(samples, num_codebooks=count), codes)
            assert relative_error(model.quantizer.decode(codes), theirs[f"quantized{rate}"]) < TOLERANCE
            assert relative_error(model.decode(codes)[:, 0], theirs[f"output{rate}"]) < TOLERANCE
            # In training too the decoder is told how many codebooks there are.
            assert relative_error(model(samples, count).samples[:, 0], theirs[f"output{rate}"][:, : samples.shape[2]]) < TOLERANCE


def test_the_encoder_may_come_from_a_checkpoint_of_its_own(tmp_path: Path) -> None:
    fixture = load_fixture("vocos_encodec")
    decoder = {name: tensor for name, tensor in fixture.state.items() if not name.startswith(ENCODEC)}
    encodec = {name.removeprefix(ENCODEC): tensor for name, tensor in fixture.state.items() if name.startswith(ENCODEC)}
    torch.save(decoder, tmp_path / "vocos.bin")
    torch.save(encodec, tmp_path / "encodec.th")
    config = fixture.header["config"]
    with pytest.raises(WavelexError, match="the encoder is not in it; name EnCodec's own checkpoint"):
        import_checkpoint(tmp_path / "vocos.bin", config)
    apart = import_checkpoint(tmp_path / "vocos.bin", {**config, "encodec": str(tmp_path / "encodec.th")}).model.state_dict()
    joined = import_checkpoint(fixture.checkpoint(tmp_path), config).model.state_dict()
    assert all(torch.equal(apart[name], joined[name]) for name in {*apart, *joined})
    torch.save({**encodec, "extra": torch.zeros(2)}, tmp_path / "encodec.th")
    with pytest.raises(WavelexError, match="left over: extra"):
        import_checkpoint(tmp_path / "vocos.bin", {**config, "encodec": str(tmp_path / "encodec.th")})
    moved = "quantizer.vq.layers.1._codebook.embed"
    torch.save({**encodec, moved: encodec[moved] + 0.1}, tmp_path / "encodec.th")
    with pytest.raises(WavelexError, match="not the codebooks of this EnCodec"):
        import_checkpoint(tmp_path / "vocos.bin", {**config, "encodec": str(tmp_path / "encodec.th")})


def test_every_way_to_decode_takes_the_norms_of_the_bit_rate() -> None:
    torch.manual_seed(0)
    model = build("vocos_encodec", preset="small").eval()
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.normal_(std=0.1)
    codec = Codec(model, "vocos")
    codes = np.random.default_rng(0).integers(1024, size=(1, 2, 30))
    with torch.no_grad():
        latents = model.quantizer.decode(torch.from_numpy(codes))
        expected = model.decode(torch.from_numpy(codes))[0].numpy()
        loudest = model.synthesize(latents)[0].numpy()
    assert not np.allclose(expected, loudest, atol=1e-3 * np.abs(expected).max())
    decoder = codec.stream_decoder()
    pieces = [decoder.push(codes[..., :11]), decoder.push(codes[..., 11:]), decoder.flush()]
    tokens = AudioTokens.from_codes(codes, codec)
    for found in (codec.decode(codes).samples, np.concatenate(pieces, axis=1), codec.decode_batch([tokens])[0].samples):
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
