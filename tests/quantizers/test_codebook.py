"""The two defects that the published EMA codebooks share, and the update rule itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wavelex.quantizers.codebook import Codebook


def mixture(modes: int, dim: int, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(modes, dim, generator=torch.Generator().manual_seed(99)) * 3
    return centres[torch.randint(modes, (count,), generator=generator)] + 0.1 * torch.randn(count, dim, generator=generator)


def test_centroids_survive_the_first_step() -> None:
    torch.manual_seed(0)
    book = Codebook(64, 8)
    x = mixture(64, 8, 1024)
    book.start(x)
    before = book.vectors.clone()
    assert len(book.nearest(x).unique()) >= 60
    y = mixture(64, 8, 1024, seed=1)
    book.learn(y, book.nearest(y))
    kept = (book.vectors - before).norm(dim=1) / before.norm(dim=1)
    assert kept.median() < 0.02
    assert len(book.nearest(y).unique()) >= 60


def test_a_revived_code_is_used() -> None:
    torch.manual_seed(0)
    book = Codebook(64, 8)
    x = mixture(64, 8, 1024)
    book.start(x)
    book.total[:32] = 1000.0 * book.usage[:32, None]
    assert not set(range(32)) & set(book.nearest(x).tolist())
    for step in range(600):
        y = mixture(64, 8, 1024, seed=step)
        book.learn(y, book.nearest(y))
    assert len(book.nearest(x).unique()) >= 58


def test_update_is_the_moving_average() -> None:
    torch.manual_seed(0)
    book = Codebook(4, 2, decay=0.9, dead_below=0.0)
    book.start(torch.randn(400, 2))
    usage, total = book.usage.clone(), book.total.clone()
    x = torch.randn(50, 2)
    won = book.nearest(x)
    book.learn(x, won)
    for code in range(4):
        mine = x[won == code]
        torch.testing.assert_close(book.usage[code], 0.9 * usage[code] + 0.1 * len(mine))
        torch.testing.assert_close(book.total[code], 0.9 * total[code] + 0.1 * mine.sum(0))


def test_nearest_is_the_euclidean_nearest() -> None:
    book = Codebook(50, 6)
    x = torch.randn(200, 6)
    assert torch.equal(book.nearest(x), torch.cdist(x, book.vectors).argmin(1))


@pytest.mark.parametrize(("averages", "left"), [("joint", 1.0), ("published", 0.07)])
def test_the_published_averages_shrink_after_kmeans_and_ours_do_not(averages: str, left: float) -> None:
    torch.manual_seed(0)
    book = Codebook(64, 8, averages=averages)
    x = mixture(64, 8, 1024)
    book.start(x)
    before, used = book.vectors.clone(), len(book.nearest(x).unique())
    y = mixture(64, 8, 1024, seed=1)
    book.learn(y, book.nearest(y))
    shares = book.vectors.norm(dim=1) / before.norm(dim=1)
    # By the counts, of which k-means leaves 16 a vector.
    assert shares.median() == pytest.approx(left, abs=0.02)
    assert len(book.nearest(y).unique()) >= 60 if averages == "joint" else len(book.nearest(y).unique()) < 0.6 * used
    # Only once: the sums are then those of the counts.
    after = book.vectors.clone()
    book.learn(y, book.nearest(y))
    assert (book.vectors.norm(dim=1) / after.norm(dim=1)).median() > 0.95


def test_the_published_averages_are_the_published_update() -> None:
    """Written out with its three states: the vectors, the counts, and the sums that k-means sets to single vectors."""
    torch.manual_seed(0)
    book = Codebook(16, 4, averages="published")
    x = mixture(16, 4, 400)
    book.start(x)
    vectors, counts = book.vectors.clone(), book.usage.clone()
    sums = vectors.clone()
    for seed in range(4):
        y = mixture(16, 4, 100, seed)
        won = torch.cdist(y, vectors).argmin(1)
        book.learn(y, book.nearest(y))
        hits = nn.functional.one_hot(won, 16).float()
        counts = 0.99 * counts + 0.01 * hits.sum(0)
        sums = 0.99 * sums + 0.01 * hits.T @ y
        vectors = sums / ((counts + 1e-5) / (counts.sum() + 16e-5) * counts.sum())[:, None]
        torch.testing.assert_close(book.vectors, vectors)


def test_the_published_averages_revive_nothing() -> None:
    torch.manual_seed(0)
    book = Codebook(64, 8, averages="published")
    x = mixture(64, 8, 1024)
    book.start(x)
    book.learn(x, book.nearest(x))
    book.total[:32] = 1000.0 * book.usage[:32, None]
    for step in range(100):
        y = mixture(64, 8, 1024, seed=step)
        book.learn(y, book.nearest(y))
    assert not set(range(32)) & set(book.nearest(x).tolist())


def test_unknown_averages_are_refused() -> None:
    with pytest.raises(ValueError, match="joint, published"):
        Codebook(4, 2, averages="moving")
