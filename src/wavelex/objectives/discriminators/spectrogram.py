"""Discriminators of magnitude spectrograms that halve bins and frames alike (BigCodec, arXiv 2409.05377, section 2.4)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.objectives.discriminators.base import Judge, SpectralJudges, normed, scaled


class SpectrogramDiscriminators(SpectralJudges):
    """Hann windows, magnitudes kept between two floors; all layers but the last two halve both axes.

    `hops` are a quarter of the windows unless given.
    """

    def __init__(
        self,
        windows: Sequence[int] = (128, 256, 512, 1024, 2048),
        hops: Sequence[int] | None = None,
        channels: Sequence[int] = (32, 64, 128, 256, 512),
        first_map: bool = True,
        logits_map: bool = False,
        width: float = 1.0,
    ) -> None:
        counts = [1, *scaled(channels, width)]

        def layers() -> list[nn.Module]:
            pairs = list(itertools.pairwise(counts))
            halving = [normed(nn.Conv2d(before, after, 5, 2, padding=2)) for before, after in pairs[:-1]]
            return [*halving, normed(nn.Conv2d(*pairs[-1], 3, padding=1))]

        super().__init__(
            windows, (Judge(layers(), normed(nn.Conv2d(counts[-1], 1, 3, padding=1)), 0.2, first_map, logits_map) for _ in windows)
        )
        self.hops = tuple(hops) if hops else tuple(window // 4 for window in self.windows)
        if len(self.hops) != len(self.windows):
            raise ValueError(f"{len(self.hops)} hops for {len(self.windows)} windows")
        for n_fft in self.windows:
            self.register_buffer(f"taper_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def view(self, samples: Tensor, index: int) -> Tensor:
        """See `SpectralJudges`: (batch, 1, bins, frames)."""
        n_fft = self.windows[index]
        taper = self.get_buffer(f"taper_{n_fft}")
        spectrum = torch.stft(samples, n_fft, self.hops[index], window=taper, return_complex=True)
        # The floor keeps the root's gradient finite in digital silence.
        return (spectrum.real.square() + spectrum.imag.square()).clamp(1e-7, 1e3).sqrt()[:, None]
