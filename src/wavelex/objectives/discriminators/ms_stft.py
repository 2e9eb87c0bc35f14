"""Discriminators of complex STFTs with dilated convolutions (EnCodec, arXiv 2210.13438, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelex.objectives.discriminators.base import Judge, SpectralJudges, normed, scaled


class StftDiscriminators(SpectralJudges):
    """Real and imaginary part as two channels, a hop of a quarter, no padding at the ends.

    The first convolution of each has no weight norm, as in the published code.
    """

    def __init__(
        self,
        windows: Sequence[int] = (1024, 2048, 512, 256, 128),
        channels: int = 32,
        dilations: Sequence[int] = (1, 2, 4),
        first_map: bool = True,
        logits_map: bool = False,
        width: float = 1.0,
    ) -> None:
        (count,) = scaled([channels], width)

        def layers() -> list[nn.Module]:
            return [
                nn.Conv2d(2, count, (3, 9), padding=(1, 4)),
                *(normed(nn.Conv2d(count, count, (3, 9), (1, 2), (d, 4), dilation=(d, 1))) for d in dilations),
                normed(nn.Conv2d(count, count, 3, padding=1)),
            ]

        super().__init__(windows, (Judge(layers(), normed(nn.Conv2d(count, 1, 3, padding=1)), 0.2, first_map, logits_map) for _ in windows))
        for n_fft in self.windows:
            self.register_buffer(f"taper_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def view(self, samples: Tensor, index: int) -> Tensor:
        """See `SpectralJudges`: (batch, 2, frames, bins), scaled to the energy of the window."""
        n_fft = self.windows[index]
        taper = self.get_buffer(f"taper_{n_fft}")
        spectrum = torch.stft(samples, n_fft, n_fft // 4, window=taper, center=False, return_complex=True)
        return torch.view_as_real(spectrum / taper.square().sum().sqrt()).permute(0, 3, 2, 1)
