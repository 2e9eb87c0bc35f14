"""Discriminators of magnitude spectrograms at several resolutions (UnivNet, arXiv 2106.07889, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.objectives.discriminators.base import Judge, SpectralJudges, no_rows, normed, scaled

_LAYERS = (((7, 5), (2, 2)), ((5, 3), (2, 1)), ((5, 3), (2, 2)), ((3, 3), (2, 1)), ((3, 3), (2, 2)))
"""Kernel and stride over (bins, frames)."""


class MagnitudeDiscriminators(SpectralJudges):
    """As Vocos, WavTokenizer and Language-Codec have them: a hop of a quarter and no window at all (rectangular).

    Of so many `conditions`, each clip is judged under one.
    """

    def __init__(
        self,
        windows: Sequence[int] = (1024, 2048, 512),
        channels: int = 64,
        first_map: bool = True,
        logits_map: bool = True,
        width: float = 1.0,
        conditions: int = 0,
    ) -> None:
        (count,) = scaled([channels], width)

        def layer(index: int) -> nn.Module:
            kernel, stride = _LAYERS[index]
            padding = (kernel[0] // 2, kernel[1] // 2)
            return normed(nn.Conv2d(count if index else 1, count, kernel, stride, padding))

        super().__init__(
            windows,
            (
                Judge(
                    map(layer, range(len(_LAYERS))),
                    normed(nn.Conv2d(count, 1, 3, padding=1)),
                    0.1,
                    first_map,
                    logits_map,
                    no_rows(conditions, count),
                )
                for _ in windows
            ),
        )

    def view(self, samples: Tensor, index: int) -> Tensor:
        """See `SpectralJudges`: (batch, 1, bins, frames)."""
        n_fft = self.windows[index]
        box = torch.ones(n_fft, device=samples.device, dtype=samples.dtype)
        return torch.stft(samples, n_fft, n_fft // 4, window=box, return_complex=True).abs()[:, None]
