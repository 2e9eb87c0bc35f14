"""Pocket TTS's audio tokenizer at its published size beside transformers' `PocketTTSAudioTokenizerModel`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import voice
from transformers import PocketTTSAudioTokenizerConfig, PocketTTSAudioTokenizerModel

from wavelex.designs.convert import import_checkpoint

pytestmark = pytest.mark.parity


def test_latents_and_samples_are_those_of_transformers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = PocketTTSAudioTokenizerModel(PocketTTSAudioTokenizerConfig()).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if name.endswith("scale"):
                # Published ones are learned; as they begin, the transformers would hardly be heard.
                parameter.uniform_(0.1, 0.5)
    theirs.save_pretrained(tmp_path)
    ours = import_checkpoint(tmp_path).model
    # Longer than the transformers' window of 1.25 s; its feature extractor fills the last frame, the class does not.
    samples = torch.from_numpy(voice(2.0, ours.sample_rate))[None, None]
    filled = torch.nn.functional.pad(samples, (0, -samples.shape[-1] % ours.hop_length))
    with torch.no_grad():
        latents = theirs.encode(filled).latents
        found = ours.latents(samples)
        torch.testing.assert_close(found, latents.transpose(1, 2), atol=1e-5 * float(latents.abs().max()), rtol=0)
        expected = theirs.decode(latents).audio_values
        torch.testing.assert_close(ours.synthesize(found), expected, atol=1e-4 * float(expected.abs().max()), rtol=0)
