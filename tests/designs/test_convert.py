"""Published checkpoints that cannot be taken are refused in a line; what a converter may do with tensors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from fixtures import load_fixture
from safetensors.torch import save_file
from torch import nn

from wavelex import load
from wavelex.designs import build
from wavelex.designs.convert import import_checkpoint
from wavelex.designs.convert.reading import read_published
from wavelex.designs.convert.tensors import Tensors
from wavelex.errors import WavelexError


class Code:
    """What an untrusted pickle may hold."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo harm > harmed",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"w": torch.zeros(2)}, "extra": Code()}, tmp_path / "evil.pt")
    with pytest.raises(WavelexError, match="would run code"):
        load(tmp_path / "evil.pt")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [b"PK\x03\x04 not a zip", b"\x80\x02 not a pickle", b"", b"text that is neither"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(WavelexError, match="damaged"):
        read_published(tmp_path / "weights.pt")


def test_an_unknown_codec_is_refused_by_name(tmp_path: Path) -> None:
    save_file({"some.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WavelexError, match=r"other.safetensors: not the weights of a codec.*some\.weight"):
        import_checkpoint(tmp_path / "other.safetensors")


def test_optimizers_are_left_out_and_hyperparameters_kept(tmp_path: Path) -> None:
    held = {
        "state_dict": {"a.b": torch.ones(3)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(9)}}}],
        "hyper_parameters": {"dim": 3},
    }
    torch.save(held, tmp_path / "run.ckpt")
    found = read_published(tmp_path / "run.ckpt")
    assert set(found.tensors) == {"a.b"}
    assert found.config == {"dim": 3}


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("parametrized", [False, True])
def test_weight_normalisation_is_folded_as_torch_computes_it(transposed: bool, parametrized: bool) -> None:
    layer: nn.Module = (nn.ConvTranspose1d if transposed else nn.Conv1d)(3, 5, 4)
    normed = nn.utils.parametrizations.weight_norm(layer) if parametrized else nn.utils.weight_norm(layer)
    with torch.no_grad():
        for parameter in normed.parameters():
            parameter.mul_(1.7)
    normed(torch.zeros(1, 3, 8))
    state = {f"conv.{key}": value for key, value in normed.state_dict().items()}
    tensors = Tensors(state)
    torch.testing.assert_close(tensors.weight("conv"), normed.weight)
    with pytest.raises(WavelexError, match=r"1 tensors are left over: conv\.bias"):
        tensors.done()
    tensors.under("conv").take("bias", 5)
    tensors.done()


def test_what_a_converter_asks_for_must_be_there() -> None:
    tensors = Tensors({"a": torch.zeros(2, 3), "bad": torch.tensor([float("nan")])})
    with pytest.raises(WavelexError, match=r"b\.c is missing"):
        tensors.under("b").take("c")
    with pytest.raises(WavelexError, match=r"a is \(2, 3\), expected \(3, 2\)"):
        tensors.take("a", 3, 2)
    with pytest.raises(WavelexError, match="bad holds values that are NaN"):
        tensors.take("bad")


@pytest.mark.parametrize("content", [b"\x80\x02.", b"\x80"])
def test_a_pickle_of_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(WavelexError, match="damaged"):
        read_published(tmp_path / "weights.pt")


def test_tensors_that_claim_more_than_is_stored_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(10**9)}, tmp_path / "weights.pt")
    with pytest.raises(WavelexError, match="claims more values than are stored"):
        read_published(tmp_path / "weights.pt")


def test_a_header_cannot_ask_for_more_than_the_file_holds(tmp_path: Path) -> None:
    for arguments in ({"layers": 20_000}, {"n_fft": 4_194_304}, {"widths": [1] * 1000}):
        header = {"format": "wavelex-codec-1", "name": "big", "design": "magicodec", "arguments": json.dumps(arguments), "notes": "{}"}
        save_file({"a": torch.zeros(1)}, tmp_path / "big.safetensors", metadata=header)
        with pytest.raises(WavelexError, match="its header asks for"):
            load(tmp_path / "big.safetensors")


@pytest.mark.parametrize("arguments", [{"sample_rate": "abc"}, {"sample_rate": 0}, {"codebooks": 0}, {"strides": [0]}])
def test_designs_that_make_no_codec_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(WavelexError, match="cannot be built with"):
        build("encodec_24k", arguments, "small")


def test_published_weights_of_odd_shapes_are_told_in_a_line(tmp_path: Path) -> None:
    fixture = load_fixture("dac_24khz")
    for change in ({"encoder.block.0.bias": torch.zeros(())}, {"quantizer.quantizers.0.codebook.weight": torch.zeros(3)}):
        save_file({key: value.contiguous() for key, value in {**fixture.state, **change}.items()}, tmp_path / "odd.safetensors")
        with pytest.raises(WavelexError, match="looks like DAC"):
            import_checkpoint(tmp_path / "odd.safetensors", fixture.header["config"])
    whole = {key: (100 * value).to(torch.int8) for key, value in fixture.state.items()}
    save_file({key: value.contiguous() for key, value in whole.items()}, tmp_path / "whole.safetensors")
    with pytest.raises(WavelexError, match="looks like DAC"):
        import_checkpoint(tmp_path / "whole.safetensors", fixture.header["config"])
