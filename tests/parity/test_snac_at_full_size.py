"""SNAC at its two published sizes beside the authors' package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import voice
from published import randomise, share_equal

from wavelex.designs.convert import import_checkpoint
from wavelex.nn.noise import ScaledNoise

pytestmark = pytest.mark.parity
PUBLISHED = {
    "snac_24k": {
        "sampling_rate": 24_000,
        "encoder_dim": 48,
        "encoder_rates": [2, 4, 8, 8],
        "decoder_dim": 1024,
        "decoder_rates": [8, 8, 4, 2],
        "attn_window_size": None,
        "vq_strides": [4, 2, 1],
    },
    "snac_44k": {
        "sampling_rate": 44_100,
        "encoder_dim": 64,
        "encoder_rates": [2, 3, 8, 8],
        "decoder_dim": 1536,
        "decoder_rates": [8, 8, 3, 2],
        "attn_window_size": 32,
        "vq_strides": [8, 4, 2, 1],
    },
}


@pytest.mark.parametrize("design", PUBLISHED)
def test_codes_and_samples_are_those_of_the_package(design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snac import SNAC

    theirs = SNAC(**PUBLISHED[design]).eval()
    randomise(theirs)
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED[design]), encoding="utf-8")
    ours = import_checkpoint(tmp_path).model
    assert ours.design == design
    samples, tracks = torch.from_numpy(voice(0.4, ours.sample_rate))[None, None], ours.quantizer.layout.tracks
    with torch.no_grad():
        published = theirs.encode(samples)
        codes = ours.quantizer.layout.join({track.name: each[:, None] for track, each in zip(tracks, published, strict=True)})
        assert share_equal(ours.encode(samples), codes) == 1
        # The same noise for both: the authors' class draws it anew at every call.
        monkeypatch.setattr(ScaledNoise, "draw", lambda layer, seed, place, count, like: torch.ones(1, 1, count))
        monkeypatch.setattr(torch, "randn", lambda shape, **options: torch.ones(shape))
        expected, decoded = theirs.decode(published), ours.decode(codes)
        assert float(expected.abs().max()) > 0.01
        torch.testing.assert_close(decoded, expected, atol=1e-4 * float(expected.abs().max()), rtol=0)
