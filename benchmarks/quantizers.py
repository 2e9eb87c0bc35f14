"""Speed of every quantizer on one core, beside vector-quantize-pytorch where it has the same, and how it does on latents of speech.

Random latents of unit variance for the speed; with recordings, 20,000 latents of the shipped codec for the figures of use and error, after
a `start` on others of them. Quantizers are not trained here: what is learned by gradient is as it begins, so that use and error say how
good a beginning is, and not how good a codec would be.

    python benchmarks/quantizers.py [--only sim] [RECORDINGS ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
import vector_quantize_pytorch as reference
from torch import Tensor, nn

import wavelex
from wavelex.audio.reading import find_audio
from wavelex.audio.resampling import resample
from wavelex.quantizers.attention import AttentionVQ
from wavelex.quantizers.base import Quantizer
from wavelex.quantizers.binary import Binary
from wavelex.quantizers.finite_scalar import FiniteScalar
from wavelex.quantizers.kmeans import KMeansVQ
from wavelex.quantizers.lattice import LatticeVQ
from wavelex.quantizers.post_training import GaussianBins
from wavelex.quantizers.product import ProductVQ
from wavelex.quantizers.projected import ProjectedVQ
from wavelex.quantizers.residual import ResidualVQ
from wavelex.quantizers.sim import SimVQ
from wavelex.quantizers.structural import StructuralVQ
from wavelex.quantizers.wasserstein import WassersteinVQ

DIM = 64
FRAMES = 2000
STARTED_ON = 20_000

OURS: dict[str, Callable[[], Quantizer]] = {
    "residual, 8 x 1024": lambda: ResidualVQ(DIM),
    "finite scalar, 8 5 5 5": lambda: FiniteScalar(DIM, (8, 5, 5, 5)),
    "finite scalar, 8 groups": lambda: FiniteScalar(DIM, (8, 5, 5, 5), groups=8, form="tanh twice"),
    "finite scalar, 3 layers": lambda: FiniteScalar(DIM, (8, 5, 5, 5), layers=3, form="clamp"),
    "binary, 13 bits": lambda: Binary(DIM, 13),
    "SimVQ, 8192": lambda: SimVQ(DIM, 1, 8192),
    "SimVQ, 2 x 8192": lambda: SimVQ(DIM, 2, 8192),
    "projected, 100000 of 8": lambda: ProjectedVQ(DIM, 100_000, iterations=1),
    "product, 8 x 4096": lambda: ProductVQ(DIM, 8, 4096),
    "lattice, 7 points": lambda: LatticeVQ(DIM),
    "wasserstein, 512": lambda: WassersteinVQ(DIM, 512),
    "k-means, 500": lambda: KMeansVQ(DIM, 500),
    "structural entropy": lambda: StructuralVQ(DIM),
    "by dimension, 4 bits": lambda: GaussianBins(DIM, 4),
    "attention, 1024": lambda: AttentionVQ(DIM, 1, 1024),
}
THEIRS: dict[str, Callable[[], nn.Module]] = {
    "residual, 8 x 1024": lambda: reference.ResidualVQ(dim=DIM, codebook_size=1024, num_quantizers=8, kmeans_init=False),
    "finite scalar, 8 5 5 5": lambda: reference.FSQ([8, 5, 5, 5], dim=DIM),
    "finite scalar, 8 groups": lambda: reference.GroupedResidualFSQ(dim=DIM, levels=[8, 5, 5, 5], num_quantizers=1, groups=8),
    "finite scalar, 3 layers": lambda: reference.ResidualFSQ(dim=DIM, levels=[8, 5, 5, 5], num_quantizers=3),
    "binary, 13 bits": lambda: reference.LFQ(dim=DIM, codebook_size=2**13, spherical=True),
    "SimVQ, 8192": lambda: reference.SimVQ(dim=DIM, codebook_size=8192),
    "SimVQ, 2 x 8192": lambda: reference.ResidualSimVQ(dim=DIM, codebook_size=8192, num_quantizers=2),
    "product, 8 x 4096": lambda: reference.VectorQuantize(
        dim=DIM, codebook_size=4096, heads=8, codebook_dim=8, separate_codebook_per_head=True, use_cosine_sim=True
    ),
    "k-means, 500": lambda: reference.VectorQuantize(dim=DIM, codebook_size=500, kmeans_init=False),
}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, help="audio files and folders, for use and error on latents of speech")
    parser.add_argument("--only", default="", help="quantizers whose names begin so")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    speech = speech_latents(arguments.recordings) if arguments.recordings else None
    rows = [row(name, speech) for name in OURS if name.startswith(arguments.only)]
    print("| quantizer | codes | bits a frame | frames a second | vector-quantize-pytorch | use | error |\n|---|---|---|---|---|---|---|")
    for each in rows:
        print("| " + " | ".join(each.values()) + " |")


def row(name: str, speech: tuple[Tensor, Tensor] | None) -> dict[str, str]:
    """What one quantizer can do, as text."""
    torch.manual_seed(0)
    quantizer = OURS[name]().eval()
    x = torch.randn(1, DIM, FRAMES)
    on, test = speech or (torch.randn(1, DIM, 4000), None)
    quantizer.start(on)
    sizes = quantizer.codebook_sizes
    ours = FRAMES / seconds(lambda: quantizer.encode(x))
    theirs = THEIRS.get(name)
    other = theirs().eval() if theirs else None
    their_speed = FRAMES / seconds(lambda: other(x.transpose(1, 2))) if other else None
    use = error = ""
    if test is not None:
        with torch.no_grad():
            codes = quantizer.encode(test)
            use = f"{sum(len(book.unique()) for book in codes.unbind(1)) / sum(sizes):.0%}"
            error = f"{float((quantizer.decode(codes) - test).square().sum() / (test - test.mean(2, keepdim=True)).square().sum()):.3f}"
    return {
        "quantizer": name,
        "codes": f"{len(sizes)} x {sizes[0]}",
        "bits": f"{sum(torch.tensor(sizes).log2()):.1f}",
        "ours": f"{ours:,.0f}",
        "theirs": f"{their_speed:,.0f}" if their_speed else "",
        "use": use,
        "error": error,
    }


@torch.no_grad()
def seconds(run: Callable[[], object], times: int = 5) -> float:
    """The least of some runs, after one that does not count."""
    run()
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        run()
        found.append(time.perf_counter() - begin)
    return min(found)


@torch.no_grad()
def speech_latents(paths: list[Path]) -> tuple[Tensor, Tensor]:
    """(1, DIM, frames) to start on, and as many others to test with."""
    model = wavelex.load("speech-16k").model
    found, count = [], 0
    for path in (file for given in paths for file in (find_audio(given) if given.is_dir() else [given])):
        audio = wavelex.read_audio(path)
        samples = resample(audio.mono()[None], audio.sample_rate, model.sample_rate)
        found.append(model.latents(torch.from_numpy(samples)[None]))
        count += found[-1].shape[2]
        if count >= 2 * STARTED_ON:
            break
    latents = torch.cat(found, dim=2)
    order = torch.randperm(latents.shape[2], generator=torch.Generator().manual_seed(0))[: 2 * STARTED_ON]
    on, test = latents[:, :, order].chunk(2, dim=2)
    return on, test


if __name__ == "__main__":
    main()
