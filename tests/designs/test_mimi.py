"""Mimi here is Mimi there: the same weights give the same latents, codes and samples, streamed too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures import Fixture, load_fixture
from torch import Tensor

from wavelex.codec.codec import Codec
from wavelex.codec.model import CodecModel
from wavelex.designs.convert import import_checkpoint
from wavelex.errors import WavelexError

NAMES = ["mimi_hf", "mimi_moshi"]


def imported(fixture: Fixture, folder: Path) -> CodecModel:
    return import_checkpoint(fixture.checkpoint(folder), fixture.header["config"]).model


def assert_near(found: Tensor, expected: Tensor, relative: float = 1e-5) -> None:
    """Within a share of the largest value."""
    torch.testing.assert_close(found, expected, atol=relative * float(expected.abs().max()), rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_latents_codes_and_samples_are_those_of_the_published_code(name: str, tmp_path: Path) -> None:
    fixture = load_fixture(name)
    model, published = imported(fixture, tmp_path), fixture.tensors
    with torch.no_grad():
        assert_near(model.latents(published["input"]), published["latents"])
        assert torch.equal(model.encode(published["input"]), published["codes"])
        assert_near(model.quantizer.decode(published["codes"]), published["quantized"])
        assert_near(model.decode(published["codes"]), published["output"])
        assert_near(model.decode(published["codes"][:, :4]), published["output_4"])


@pytest.mark.parametrize("chunk", [1920, 1000, 5003])
def test_a_stream_gives_the_whole_of_the_published_code_also_once_the_window_is_full(chunk: int, tmp_path: Path) -> None:
    # The window is 9 steps, of which the signal has 24. The published stream differs from its own whole signal from the 5th frame on.
    fixture = load_fixture("mimi_moshi")
    codec, published = Codec(imported(fixture, tmp_path), "mimi"), fixture.tensors
    samples = published["input_frames"][:, 0].numpy()
    encoder, decoder = codec.stream_encoder(streams=2, effort=0), codec.stream_decoder(streams=2, conceal=False)
    codes = [encoder.push(samples[:, start : start + chunk]) for start in range(0, samples.shape[1], chunk)]
    codes.append(encoder.flush())
    np.testing.assert_array_equal(np.concatenate(codes, axis=2), published["frames.codes"].numpy())
    pieces = [*(decoder.push(each) for each in codes), decoder.flush()]
    assert_near(torch.from_numpy(np.concatenate(pieces, axis=1))[:, None], published["frames.output"])


def test_names_of_published_files_are_those_of_the_hub_too(tmp_path: Path) -> None:
    fixture = load_fixture("mimi_hf")
    names = fixture.header["checkpoint_keys"]
    assert len(names) > 100
    renamed = fixture._replace(state={names.get(key, key): tensor for key, tensor in fixture.state.items()})
    expected = imported(fixture, tmp_path).state_dict()
    found = imported(renamed, tmp_path).state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_names_of_older_files_of_moshi_are_known(tmp_path: Path) -> None:
    fixture = load_fixture("mimi_moshi")
    older = {
        key.replace("in_projs.0.weight", "in_proj_weight").replace("out_projs.0.", "out_proj."): tensor
        for key, tensor in fixture.state.items()
    }
    assert set(older) != set(fixture.state)
    expected = imported(fixture, tmp_path).state_dict()
    found = imported(fixture._replace(state=older), tmp_path).state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_what_is_missing_or_left_over_is_refused(tmp_path: Path) -> None:
    fixture = load_fixture("mimi_moshi")
    short = {key: tensor for key, tensor in fixture.state.items() if "norm1.bias" not in key}
    with pytest.raises(WavelexError, match=r"looks like Mimi.*norm\.bias is missing"):
        imported(fixture._replace(state=short), tmp_path)
    with pytest.raises(WavelexError, match=r"left over: semantic\.more"):
        imported(fixture._replace(state={**fixture.state, "quantizer.rvq_first.more": torch.zeros(1)}), tmp_path)


def test_a_configuration_that_cannot_be_is_refused(tmp_path: Path) -> None:
    fixture = load_fixture("mimi_hf")
    for wrong in ({"num_attention_heads": "8"}, {"sliding_window": 0}, {"sampling_rate": None}, {"num_attention_heads": 5}):
        with pytest.raises(WavelexError, match="looks like Mimi"):
            import_checkpoint(fixture.checkpoint(tmp_path), {**fixture.header["config"], **wrong})
    with pytest.raises(WavelexError, match="5 heads cannot share 32 channels"):
        import_checkpoint(load_fixture("mimi_moshi").checkpoint(tmp_path), {"transformer": {"num_heads": 5}})
    assert import_checkpoint(fixture.checkpoint(tmp_path), {**fixture.header["config"], "transformer": 3}).model.sample_rate == 24_000
