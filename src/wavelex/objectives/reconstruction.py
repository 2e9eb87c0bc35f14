"""The reconstruction objective: named, weighted spectral terms that share their spectra."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from wavelex.objectives.loudness import LoudnessDistance
from wavelex.objectives.spectral import LowBandComplexDistance, MelDistance, Spectra

MEL_BANDS = {128: 16, 256: 32, 512: 64, 1024: 96, 2048: 160}
COMPLEX_WINDOWS = (512, 1024)


@dataclass(frozen=True)
class ReconstructionWeights:
    """How much each term counts; 0 leaves it out."""

    mel: float = 1.0
    complex: float = 8.0
    loudness: float = 1.5
    mel_bands: dict[int, int] = field(default_factory=lambda: dict(MEL_BANDS))
    complex_windows: tuple[int, ...] = COMPLEX_WINDOWS


class Reconstruction(nn.Module):
    """Distance of decoded to original samples (batch, 1, T) as {term: weighted scalar}."""

    def __init__(self, sample_rate: int, weights: ReconstructionWeights) -> None:
        super().__init__()
        self.weights = weights
        self.mel = MelDistance(sample_rate, weights.mel_bands)
        self.complex = LowBandComplexDistance(sample_rate, weights.complex_windows)
        self.loudness = LoudnessDistance(sample_rate)
        self.spectra = Spectra(sorted({*weights.mel_bands, *weights.complex_windows, self.loudness.n_fft}))

    def forward(self, decoded: dict[int, Tensor], original: dict[int, Tensor]) -> dict[str, Tensor]:
        """Both as given by `spectra`."""
        terms = {"mel": self.mel, "complex": self.complex, "loudness": self.loudness}
        weights = {name: float(getattr(self.weights, name)) for name in terms}
        return {name: weights[name] * term(decoded, original) for name, term in terms.items() if weights[name]}

    def analyse(self, decoded: Tensor, original: Tensor) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
        """Spectra of both (batch, 1, T); gradients flow to the decoded only."""
        with torch.no_grad():
            theirs = self.spectra(original[:, 0])
        return self.spectra(decoded[:, 0]), theirs
