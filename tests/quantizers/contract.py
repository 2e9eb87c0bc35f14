"""What holds for every quantizer; each file of tests states it of its own."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from wavelex.quantizers.base import Quantizer


def latents(dim: int, frames: int = 40, batch: int = 3, seed: int = 1, spread: float = 1.0) -> Tensor:
    return spread * torch.randn(batch, dim, frames, generator=torch.Generator().manual_seed(seed))


def keeps_the_contract(quantizer: Quantizer, dim: int, spread: float = 1.0) -> None:
    """Round trip, prefixes, -1, frames alone, items at depths of their own, sums of vectors, and nothing learned outside training."""
    quantizer.eval()
    x, books = latents(dim, spread=spread), len(quantizer.codebook_sizes)
    before = copy.deepcopy(quantizer.state_dict())
    whole = quantizer.encode(x)
    assert whole.dtype == torch.long
    assert whole.shape == (3, books, 40)
    for size, row in zip(quantizer.codebook_sizes, whole.unbind(1), strict=True):
        assert int(row.min()) >= 0
        assert int(row.max()) < size
    for count in {1, (books + 1) // 2, books}:
        made = quantizer(x, count)
        assert torch.equal(made.codes, quantizer.encode(x, count))
        assert torch.equal(made.codes, whole[:, :count])
        torch.testing.assert_close(quantizer.decode(made.codes), made.latents, atol=1e-5, rtol=1e-5)
    assert torch.equal(quantizer.encode(x[:, :, 7:9]), whole[:, :, 7:9])
    assert quantizer.encode(x[:, :, :0]).shape == (3, books, 0)
    assert quantizer.decode(whole[:, :, :0]).shape == (3, dim, 0)
    each = quantizer(x, torch.tensor([1, books, (books + 1) // 2]))
    for item, count in enumerate((1, books, (books + 1) // 2)):
        assert (each.codes[item, count:] == -1).all()
        assert torch.equal(each.codes[item, :count], whole[item, :count])
        torch.testing.assert_close(each.latents[item : item + 1], quantizer.decode(whole[item : item + 1, :count]), atol=1e-5, rtol=1e-5)
    assert not quantizer.decode(torch.full((1, books, 3), -1)).abs().sum()
    lost = whole.clone()
    lost[:, -1] = -1
    if books > 1:
        torch.testing.assert_close(quantizer.decode(lost), quantizer.decode(whole[:, :-1]), atol=1e-6, rtol=1e-5)
    if quantizer.additive:
        added = sum(quantizer.code_vectors(book)[row] for book, row in enumerate(whole.unbind(1)))
        torch.testing.assert_close(added.transpose(1, 2), quantizer.decode(whole), atol=1e-5, rtol=1e-5)
    # What a code stands for does not depend on the precision of the rest.
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantizer.encode(x), whole)
        assert torch.equal(quantizer(x).codes, whole)
    assert torch.equal(copy.deepcopy(quantizer).half().encode(x), whole)
    for count in (0, books + 1):
        refused(quantizer, x, count)
    quantizer.train()
    with torch.no_grad():
        quantizer(x)
    quantizer.encode(x)
    after = quantizer.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def refused(quantizer: Quantizer, x: Tensor, count: int) -> None:
    try:
        quantizer.encode(x, count)
    except ValueError as error:
        assert f"1 to {len(quantizer.codebook_sizes)}" in str(error)
    else:
        raise AssertionError(f"{count} codebooks were not refused")


def survives_storage(quantizer: Quantizer, other: Quantizer, dim: int) -> None:
    """`other` is built alike, with other random numbers."""
    x = latents(dim)
    other.load_state_dict(quantizer.state_dict())
    quantizer.eval(), other.eval()
    assert other.started
    assert torch.equal(other.encode(x), quantizer.encode(x))
    codes = quantizer.encode(x)
    assert torch.equal(other.decode(codes), quantizer.decode(codes))


def used(quantizer: Quantizer, dim: int, spread: float = 1.0) -> list[float]:
    """Share of each codebook that some of 20,000 random latents use."""
    codes = quantizer.eval().encode(latents(dim, frames=5000, batch=4, spread=spread))
    return [len(row.unique()) / size for row, size in zip(codes.unbind(1), quantizer.codebook_sizes, strict=True)]


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that an operation made, views left aside."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made._base is None and made.numel() * made.element_size() == made.untyped_storage().nbytes():
            self.elements = max(self.elements, made.numel())
        return made
