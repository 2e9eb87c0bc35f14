"""Designs that show a quantizer: their published numbers, and recipes that run from an autoencoder to codes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import voice

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.codec.checkpoint import load_codec, save_codec
from wavelex.codec.codec import Codec
from wavelex.designs import build, recipe
from wavelex.training.data import PackedAudio
from wavelex.training.recipe import with_steps
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer

TINY = {"encoder_width": 16, "encoder_hidden": 24, "decoder_width": 16, "decoder_hidden": 24}
RUNS: dict[str, dict[str, Any]] = {
    "vq_gan_lc": {"size": 200, "dim": 12},
    "lattice_codec": {"dim": 4},
    "secodec": {"dim": 12, "most": 100},
    "coda": {"dim": 12, "size": 32},
    "tokenbridge": {"dim": 8},
}


@pytest.mark.parametrize(
    ("name", "frame_rate", "bits"),
    [
        ("simvq_codec", 75.0, 1200),
        ("fsq_codec", 44_100 / 2048, 8 * math.log2(1000) * 44_100 / 2048),
        ("vq_gan_lc", 50.0, 830.5),
        ("lattice_codec", 50.0, 16 * math.log2(7) * 50),
        ("continuous_vae", 25.0, 32 * 6 * 25),
        ("tokenbridge", 25.0, 16 * 6 * 25),
        ("coda", 50.0, 4 * 10 * 50),
    ],
)
def test_published_rates(name: str, frame_rate: float, bits: float) -> None:
    with torch.device("meta"):
        model = build(name)
    assert model.frame_rate == pytest.approx(frame_rate)
    assert model.bitrate(model.codebooks) == pytest.approx(bits, rel=1e-3)


def trained(name: str, folder: Path) -> Trainer:
    write_audio(folder / "a.wav", Audio(voice(4)[None], 16_000))
    told = recipe(name)
    stages = with_steps(told.stages, {stage.name: 2 for stage in told.stages})
    numbers = {"batch": 2, "segment_seconds": 0.5, "kmeans_batches": 6, "precision": "float32"}
    settings = Settings(stages, options={"adversarial": {"width": 8}}, **{**told.settings, **numbers})
    torch.manual_seed(0)
    trainer = Trainer(
        build(name, {**TINY, **RUNS[name]}),
        settings,
        PackedAudio([folder / "a.wav"], 16_000, folder, lambda done: None),
        torch.device("cpu"),
    )
    for _ in range(2):
        assert trainer.step()
    assert not trainer.codec.quantizer.started
    return trainer


@pytest.mark.parametrize("name", RUNS)
def test_the_recipe_runs_to_codes_that_are_stored(name: str, tmp_path: Path) -> None:
    trainer = trained(name, tmp_path)
    encoder = {key: value.clone() for key, value in trainer.codec.encoder.state_dict().items()}
    assert trainer.step()
    quantizer = trainer.codec.quantizer
    assert quantizer.started
    frozen = {key: value.clone() for key, value in quantizer.named_buffers() if not key.endswith("usage")}
    for _ in range(3):
        assert trainer.step()
    assert all(torch.equal(value, dict(quantizer.named_buffers())[key]) for key, value in frozen.items())
    same = all(torch.equal(value, trainer.codec.encoder.state_dict()[key]) for key, value in encoder.items())
    assert same == (name not in ("vq_gan_lc", "lattice_codec"))
    codec = Codec(trainer.codec.eval(), name)
    save_codec(tmp_path / "codec.safetensors", codec.model, name, half=False)
    again = load_codec(tmp_path / "codec.safetensors")
    assert again.codebook_sizes == codec.codebook_sizes
    assert (again.encode(voice(0.5)).codes == codec.encode(voice(0.5)).codes).all()
    if name == "secodec":
        assert codec.codebook_sizes[0] < 100
