"""Published codebooks of exponential moving averages as ours."""

from __future__ import annotations

import torch
from torch import Tensor

from wavelex.designs.convert.tensors import Tensors


def averaged_codebook(published: Tensors) -> dict[str, Tensor]:
    """`embed`, `cluster_size`, `embed_avg` and `inited` of EnCodec's class as the buffers of `quantizers.codebook.Codebook`.

    The vectors are `embed`, bit for bit: the published sums (`embed_avg`) are another number of times the vectors than the counts say
    (k-means leaves them so, and counts are smoothed before they divide), so sums are made of vectors and counts again. Counts are taken
    as the next power of two, by which a number can be multiplied and divided without rounding; they are the weight of what was
    learned so far, where training goes on, and at least one, so that half precision holds the sums.
    """
    vectors = published.take("embed")
    published.take("embed_avg", *vectors.shape)
    counts = published.take("cluster_size", len(vectors))
    usage = torch.exp2(counts.clamp(min=1.0).log2().round())
    started = published.take("inited").bool().all()
    return {"total": vectors * usage[:, None], "usage": usage, "started": started}


def averaged_codebooks(published: Tensors, codebook: str = "codebook") -> dict[str, Tensor]:
    """Those of all layers of a residual quantizer, `0.codebook.embed` and so on, as the buffers of `ResidualVQ`."""
    count = len({name.partition(".")[0] for name in published.names()})
    return {
        f"layers.{index}.{name}": tensor
        for index in range(count)
        for name, tensor in averaged_codebook(published.under(f"{index}.{codebook}")).items()
    }
