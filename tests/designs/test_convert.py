"""Published checkpoints that cannot be taken are refused in a line; what a converter may do with tensors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wavelex import load
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
