"""Token priors: decoding sees what encoding saw, whole numbers only, and a past helps."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from wavelex.errors import WavelexError
from wavelex.tokens.entropy.blocks import LANE_FRAMES, ModelledCoder, PackedCoder
from wavelex.tokens.entropy.priors.base import Prior
from wavelex.tokens.entropy.priors.context import CLASSES, ContextPrior
from wavelex.tokens.entropy.priors.inputs import all_contexts, clipped, partial_sums, whole_vectors
from wavelex.tokens.entropy.priors.network import PriorNetwork, whole_prior
from wavelex.tokens.entropy.priors.neural import LOGIT_STEPS, NeuralPrior
from wavelex.tokens.entropy.priors.store import FORMAT, Priors, load_prior, prior_hash, priors_beside, save_prior
from wavelex.tokens.entropy.range_coder import TOTAL

BOOKS, SIZE, DIM, HIDDEN = 3, 40, 6, 16


def vectors() -> np.ndarray:
    return whole_vectors(np.random.default_rng(0).standard_normal((BOOKS, SIZE, DIM)))


def network() -> PriorNetwork:
    torch.manual_seed(0)
    made = PriorNetwork(BOOKS, SIZE, DIM, HIDDEN)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def neural() -> NeuralPrior:
    return whole_prior(network(), vectors())


def context() -> ContextPrior:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, SIZE, (BOOKS, 20, 60)) // rng.integers(1, 5, (BOOKS, 20, 60))
    return ContextPrior.counted(codes, rng.integers(0, CLASSES, (BOOKS, SIZE)))


def varied(rng: np.random.Generator, streams: int, frames: int, books: int) -> np.ndarray:
    codes = rng.integers(0, SIZE, (streams, books, frames))
    counts = rng.integers(1, books + 1, (streams, 1, frames))
    codes[np.broadcast_to(np.arange(books)[None, :, None] >= counts, codes.shape)] = -1
    return codes


@pytest.mark.parametrize("make", [neural, context])
@given(
    seed=st.integers(0, 10**6), streams=st.integers(1, 3), frames=st.integers(0, 130), books=st.integers(1, BOOKS), variable=st.booleans()
)
@settings(max_examples=25)
def test_blocks_of_any_shape_round_trip(
    make: Callable[[], Prior], seed: int, streams: int, frames: int, books: int, variable: bool
) -> None:
    rng = np.random.default_rng(seed)
    codes = varied(rng, streams, frames, books) if variable else rng.integers(0, SIZE, (streams, books, frames))
    coder = ModelledCoder(make(), books, variable)
    some = codes[:, :, : frames // 3]
    # A block in between that no encoder has made must not touch the others.
    blocks = [(coder.encode(codes), frames), (b"\xff" * 40, frames), (coder.encode(some), some.shape[2])]
    found = coder.decode_all(blocks, streams)
    assert np.array_equal(found[0], codes) and np.array_equal(found[2], some)


@pytest.mark.parametrize("make", [neural, context])
def test_frequencies_are_whole_and_sum_to_the_total(make: Callable[[], Prior]) -> None:
    codes = varied(np.random.default_rng(3), 4, 30, BOOKS).transpose(1, 0, 2)
    for table in make().whole(codes):
        assert np.array_equal(table, np.floor(table)) and (table >= 0).all()
        assert (table.sum(axis=-1) == TOTAL).all()


def test_the_integers_are_the_network() -> None:
    codes = varied(np.random.default_rng(4), 2, 30, BOOKS).transpose(1, 0, 2)
    sums = partial_sums(codes, vectors())
    contexts = torch.from_numpy(all_contexts(sums[-1], (codes >= 0).sum(0), BOOKS)).flatten(0, 1).float()
    partial = torch.from_numpy(clipped(sums[:-1])).flatten(1, 2).float()
    with torch.no_grad():
        expected = [torch.softmax(logits, -1).numpy() for logits in network()(contexts, partial)]
    for ours, theirs in zip(neural().whole(codes), expected, strict=True):
        # Logits are kept to a sixteenth of a nat, so a share may be off by a few percent of itself.
        np.testing.assert_allclose(ours.reshape(-1, SIZE) / TOTAL, theirs, rtol=2.5 / LOGIT_STEPS, atol=3 / TOTAL)


def test_a_network_whose_sums_float32_could_not_hold_is_refused() -> None:
    large = PriorNetwork(1, 4, 600, 1200)
    with torch.no_grad():
        for parameter in large.parameters():
            parameter.fill_(2.0)
    with pytest.raises(ValueError, match="not exact"):
        whole_prior(large, np.ones((1, 4, 600), np.int16))


def changed(tensors: dict[str, np.ndarray], kind: str, rng: np.random.Generator) -> None:
    """One thing wrong with the tensors of a prior."""
    name = str(rng.choice(sorted(tensors)))
    value = tensors[name]
    if kind == "type":
        tensors[name] = value.astype(np.float32) + np.float32(0.5)
    elif kind == "wider type":
        tensors[name] = value.astype(np.int64)
    elif kind == "missing":
        del tensors[name]
    elif kind == "more":
        tensors["more"] = value
    elif kind == "shape":
        tensors[name] = value[..., None]
    elif kind == "short":
        axis = int(rng.integers(value.ndim))
        tensors[name] = np.take(value, range(value.shape[axis] - 1), axis)
    else:
        tensors[name] = value[..., :0]


@pytest.mark.parametrize("make", [neural, context])
@pytest.mark.parametrize("kind", ["type", "wider type", "missing", "more", "shape", "short", "empty"])
def test_a_prior_with_anything_wrong_is_refused_by_name(make: Callable[[], NeuralPrior | ContextPrior], kind: str, tmp_path: Path) -> None:
    prior = make()
    rng = np.random.default_rng(0)
    for number in range(8):
        tensors = dict(prior.tensors)
        changed(tensors, kind, rng)
        path = tmp_path / f"{number}.prior.safetensors"
        save_file(
            {key: np.ascontiguousarray(t) for key, t in tensors.items()}, path, {"format": FORMAT, "kind": prior.kind, "weights": "00"}
        )
        with pytest.raises(WavelexError, match=rf"{number}\.prior\.safetensors: not a whole token prior \(.*\); fit it again"):
            load_prior(path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("classes", -1, "classes are -1"),
        ("classes", CLASSES, "not 0 to 11"),
        ("frequencies", 7, "do not sum"),
        ("frequencies", 0, "do not sum"),
    ],
)
def test_context_tables_with_values_that_cannot_be_are_refused(name: str, value: int, words: str) -> None:
    tensors = {key: tensor.copy() for key, tensor in context().tensors.items()}
    tensors[name].reshape(-1)[5] = value
    with pytest.raises(ValueError, match=words):
        ContextPrior(tensors)


def test_a_code_that_is_always_the_same_leaves_something_to_the_others() -> None:
    prior = ContextPrior.counted(np.zeros((1, 100, 8000), np.int64), np.zeros((1, 2), np.int64))
    assert (prior.frequencies.sum(axis=-1) == TOTAL).all() and prior.frequencies.max() == TOTAL - 1


def test_types_that_numpy_lacks_are_refused(tmp_path: Path) -> None:
    save_torch({"classes": torch.zeros(1, 4, dtype=torch.bfloat16)}, tmp_path / "a", {"format": FORMAT, "kind": "context", "weights": "00"})
    with pytest.raises(WavelexError, match=r"a: not a (whole )?token prior"):
        load_prior(tmp_path / "a")


PROBE = """
import sys, hashlib, numpy as np, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads({threads})
import test_priors as t
prior = t.neural()
prior._float = {{name: value.astype(np.{dtype}) for name, value in prior._float.items()}}
codes = t.varied(np.random.default_rng(9), 2, 120, t.BOOKS)
print(hashlib.sha256(t.ModelledCoder(prior, t.BOOKS, True).encode(codes)).hexdigest())
"""


def test_bytes_do_not_depend_on_threads_or_precision() -> None:
    codes = varied(np.random.default_rng(9), 2, 120, BOOKS)
    coder = ModelledCoder(neural(), BOOKS, True)
    data = coder.encode(codes)
    for precision in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", precision):
            assert coder.encode(codes) == data
            assert np.array_equal(coder.decode_all([(data, 120)], 2)[0], codes)
    for threads, dtype in ((1, "float32"), (2, "float64")):
        script = PROBE.format(tests=str(Path(__file__).parent), threads=threads, dtype=dtype)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == hashlib.sha256(data).hexdigest()


FORKED = """
import multiprocessing, sys, numpy as np, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(2)
import test_priors as t
coder = t.ModelledCoder(t.neural(), t.BOOKS)
data = coder.encode(np.random.default_rng(0).integers(0, t.SIZE, (4, t.BOOKS, 200)))
def read(_):
    return coder.decode_all([(data, 200)], 4)[0].sum()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(read, range(2)) == [read(0)] * 2
"""


def test_forked_children_can_read() -> None:
    script = FORKED.format(tests=str(Path(__file__).parent))
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_what_no_encoder_has_made_is_told() -> None:
    (found,) = ModelledCoder(neural(), BOOKS).decode_all([(b"\xff" * 40, 100)], 1)
    assert isinstance(found, ValueError)


def test_repeating_codes_cost_next_to_nothing_once_counted() -> None:
    codes = np.tile(np.arange(BOOKS)[:, None, None], (1, 30, 60))
    prior = ContextPrior.counted(codes, np.arange(BOOKS * SIZE).reshape(BOOKS, SIZE) % CLASSES)
    again = codes[:, :1].transpose(1, 0, 2)
    assert len(ModelledCoder(prior, BOOKS).encode(again)) < 0.15 * len(PackedCoder((6,) * BOOKS).encode(again))


def test_a_block_longer_than_a_lane_is_coded_from_several_beginnings() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, SIZE, (1, BOOKS, 2 * LANE_FRAMES + 7))
    first, second, rest = (codes[:, :, i : i + LANE_FRAMES] for i in (0, LANE_FRAMES, 2 * LANE_FRAMES))
    coder = ModelledCoder(neural(), BOOKS)
    alone = sum(len(coder.encode(part)) for part in (first, second, rest))
    assert alone - 3 <= len(coder.encode(codes)) <= alone


@pytest.mark.parametrize("make", [neural, context])
def test_saved_priors_come_back_under_their_hash(make: Callable[[], NeuralPrior | ContextPrior], tmp_path: Path) -> None:
    prior = make()
    path = tmp_path / f"a.{prior.kind}.prior.safetensors"
    name = save_prior(path, prior, "ffeeddccbbaa9988")
    loaded = load_prior(path)
    assert (loaded.name, loaded.weights_hash) == (name, "ffeeddccbbaa9988")
    assert name == prior_hash(prior.kind, "ffeeddccbbaa9988", prior.tensors)
    codes = np.random.default_rng(0).integers(0, SIZE, (1, BOOKS, 20))
    assert ModelledCoder(loaded.prior, BOOKS).encode(codes) == ModelledCoder(prior, BOOKS).encode(codes)
    beside = priors_beside(tmp_path / "a.safetensors")
    assert beside.find(name) is not None and Priors().find(name) is None
    assert beside.for_coding("ffeeddccbbaa9988") == (prior.kind, beside.stored[0])
    # A prior for other weights is no prior for these.
    assert beside.for_coding("0000000000000000") == ("packed", None)
    with pytest.raises(WavelexError, match="there is no"):
        beside.for_coding("0000000000000000", prior.kind)


@pytest.mark.parametrize("make", [neural, context])
def test_frames_heard_at_once_are_as_if_heard_one_by_one(make: Callable[[], NeuralPrior | ContextPrior]) -> None:
    codes = varied(np.random.default_rng(4), 2, 13, BOOKS)
    slow, fast = (make().session(2, BOOKS) for _ in range(2))
    for frame in np.moveaxis(codes, 2, 0):
        for book in range(BOOKS):
            there = np.flatnonzero(frame[:, book] >= 0)
            slow.decoded(book, there, frame[there, book])
        slow.next_frame()
    fast.heard(codes[:, :, :6])
    fast.heard(codes[:, :, 6:])
    for book in range(BOOKS):
        assert np.array_equal(slow.frequencies(book, np.arange(2)), fast.frequencies(book, np.arange(2)))


def test_other_files_are_no_priors(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(WavelexError, match="not a token prior"):
        load_prior(tmp_path / "x")
