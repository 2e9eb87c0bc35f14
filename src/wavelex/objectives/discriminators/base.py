"""What the discriminators of samples share: rows of convolutions whose outputs are feature maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


def normed(layer: nn.Module) -> nn.Module:
    """The layer with weight norm."""
    found: nn.Module = nn.utils.parametrizations.weight_norm(layer)
    return found


class Judge(nn.Module):
    """Layers in a row, each followed by a leaky ReLU, and a last one without, which gives the logits.

    Published discriminators differ in what they count as feature maps: `first_map` and `logits_map` say whether what the first
    layer gives, and the logits themselves, are among them. With `rows` (conditions, channels) it judges under a
    condition: the channels of the last map, weighted by its row, are added to the logits (Miyato and Koyama 2018; Vocos for several
    bit rates).
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        judge: nn.Module,
        slope: float,
        first_map: bool,
        logits_map: bool,
        rows: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.judge = nn.ModuleList(layers), judge
        self.rows = None if rows is None else nn.Parameter(rows)
        self.slope, self.first_map, self.logits_map = slope, first_map, logits_map

    def forward(self, x: Tensor, row: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """(logits, feature maps); `row` (batch,) where there are any."""
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), self.slope)
            features.append(x)
        logits: Tensor = self.judge(x)
        if self.rows is not None and row is not None:
            logits = logits + torch.einsum("bc...,bc->b...", x, self.rows[row])[:, None]
        return logits, [*(features if self.first_map else features[1:]), *([logits] if self.logits_map else [])]


class SpectralJudges(nn.Module):
    """One judge a window length, each before its own view of the samples' STFT."""

    def __init__(self, windows: Sequence[int], judges: Iterable[nn.Module]) -> None:
        super().__init__()
        self.windows, self.members = tuple(windows), nn.ModuleList(judges)

    def forward(self, samples: Tensor, *row: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Samples (batch, 1, T), and the rows of a condition where there is one, to (logits, feature maps) by window."""
        return [judge(self.view(samples[:, 0], index), *row) for index, judge in enumerate(self.members)]

    def view(self, samples: Tensor, index: int) -> Tensor:
        """What the judge of a window is shown of samples (batch, T): (batch, channels, ...)."""
        raise NotImplementedError(type(self).__name__)


def no_rows(conditions: int, channels: int) -> Tensor | None:
    """What the rows of a `Judge` begin with; None for no conditions."""
    return torch.zeros(conditions, channels) if conditions else None


def scaled(channels: Iterable[int], width: float) -> list[int]:
    """The published numbers of channels times `width`, at least 1 each."""
    return [max(1, round(count * width)) for count in channels]


def levelled(samples: Tensor) -> Tensor:
    """Samples (batch, 1, T) without their mean and with a peak of 0.8, as DAC shows them to its discriminators."""
    centred = samples - samples.mean(-1, keepdim=True)
    return 0.8 * centred / (centred.abs().amax(-1, keepdim=True) + 1e-9)
