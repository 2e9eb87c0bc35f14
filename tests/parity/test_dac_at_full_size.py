"""DAC at its three published sizes beside transformers' `DacModel`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import voice
from published import randomise, share_equal
from transformers import DacConfig, DacModel

from wavelex.designs.convert import import_checkpoint

pytestmark = pytest.mark.parity


@pytest.mark.parametrize(
    ("design", "config"),
    [
        ("dac_16k", {"sampling_rate": 16_000, "downsampling_ratios": [2, 4, 5, 8], "n_codebooks": 12}),
        ("dac_24k", {"sampling_rate": 24_000, "downsampling_ratios": [2, 4, 5, 8], "n_codebooks": 32}),
        ("dac_44k", {"sampling_rate": 44_100, "downsampling_ratios": [2, 4, 8, 8], "n_codebooks": 9}),
    ],
)
def test_codes_and_samples_are_those_of_transformers(design: str, config: dict[str, object], tmp_path: Path) -> None:
    theirs = DacModel(DacConfig(**config)).eval()
    randomise(theirs)
    theirs.save_pretrained(tmp_path)
    ours = import_checkpoint(tmp_path).model
    assert (ours.design, ours.sample_rate) == (design, config["sampling_rate"])
    samples = torch.from_numpy(voice(0.25, ours.sample_rate))[None, None]
    # Its feature extractor fills the last frame; the class does not.
    filled = torch.nn.functional.pad(samples, (0, -samples.shape[-1] % ours.hop_length))
    with torch.no_grad():
        codes = theirs.encode(filled).audio_codes
        assert share_equal(ours.encode(samples), codes) == 1
        expected = theirs.decode(audio_codes=codes).audio_values
        decoded = ours.decode(codes)[:, 0, : expected.shape[-1]]
        assert float(expected.abs().max()) > 0.01
        torch.testing.assert_close(decoded, expected, atol=1e-4 * float(expected.abs().max()), rtol=0)
