"""Discriminators of complex spectra, a stack of convolutions for each of several bands (DAC, arXiv 2306.06546, section 3.4)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from wavelex.objectives.discriminators.base import SpectralJudges, normed, scaled

_LAYERS = (((3, 9), 1), ((3, 9), 2), ((3, 9), 2), ((3, 9), 2), ((3, 3), 1))
"""Kernel over (frames, bins) and stride over bins."""


class BandJudge(nn.Module):
    """A row of convolutions for each band of (batch, 2, frames, bins); one more sees what all of them give side by side."""

    def __init__(self, channels: int, edges: Sequence[tuple[int, int]], first_map: bool, logits_map: bool) -> None:
        super().__init__()
        self.edges, self.first_map, self.logits_map = tuple(edges), first_map, logits_map
        self.bands = nn.ModuleList(
            nn.ModuleList(
                normed(nn.Conv2d(channels if index else 2, channels, kernel, (1, stride), (kernel[0] // 2, kernel[1] // 2)))
                for index, (kernel, stride) in enumerate(_LAYERS)
            )
            for _ in self.edges
        )
        self.judge = normed(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, spectrum: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(logits, feature maps)."""
        features, ends = [], []
        for (low, high), layers in zip(self.edges, self.bands, strict=True):
            x = spectrum[..., low:high]
            for index, layer in enumerate(cast(nn.ModuleList, layers)):
                x = nn.functional.leaky_relu(layer(x), 0.1)
                if index or self.first_map:
                    features.append(x)
            ends.append(x)
        logits: Tensor = self.judge(torch.cat(ends, dim=-1))
        return logits, [*features, *([logits] if self.logits_map else [])]


class ComplexDiscriminators(SpectralJudges):
    """As Vocos has them since version 0.2, and with other arguments DAC: Hann windows with a hop of a quarter.

    `bands` are limits as shares of the bins. `hop_aligned` puts frame i over samples i * hop to (i + 1) * hop (DAC), where otherwise
    frames are centred on multiples of the hop.
    """

    def __init__(
        self,
        windows: Sequence[int] = (2048, 1024, 512),
        channels: int = 32,
        bands: Sequence[float] = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
        hop_aligned: bool = False,
        first_map: bool = False,
        logits_map: bool = True,
        width: float = 1.0,
    ) -> None:
        (count,) = scaled([channels], width)

        def judge(n_fft: int) -> BandJudge:
            limits = [int(share * (n_fft // 2 + 1)) for share in bands]
            return BandJudge(count, list(itertools.pairwise(limits)), first_map, logits_map)

        super().__init__(windows, map(judge, windows))
        self.hop_aligned = hop_aligned
        for n_fft in self.windows:
            self.register_buffer(f"taper_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def view(self, samples: Tensor, index: int) -> Tensor:
        """See `SpectralJudges`: (batch, 2, frames, bins)."""
        n_fft = self.windows[index]
        hop = n_fft // 4
        if self.hop_aligned:
            margin = (n_fft - hop) // 2
            samples = nn.functional.pad(samples, (margin, margin + -samples.shape[-1] % hop), mode="reflect")
        taper = self.get_buffer(f"taper_{n_fft}")
        spectrum = torch.stft(samples, n_fft, hop, window=taper, center=not self.hop_aligned, return_complex=True)
        return torch.view_as_real(spectrum).permute(0, 3, 2, 1)
