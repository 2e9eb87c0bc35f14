"""What every search for codes is."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class CodeSearch(Protocol):
    """Chooses the codes of a running signal, at once or when it has seen enough of what follows."""

    codebooks: int

    def begin(self) -> None:
        """Forget the signal so far."""

    def push(self, latents: Tensor, samples: Tensor) -> Tensor:
        """The next latents (streams, dim, n) and samples (streams, t) at the codec's rate -> the codes that are settled."""

    def flush(self) -> Tensor:
        """The end of the signal: the codes (streams, codebooks, m) that are left."""


class FrameSearch:
    """A search that settles the codes of every frame when its latents come; where these are cut makes no difference."""

    codebooks: int
    _streams: int = 1

    def begin(self) -> None:
        """Forget the frames before."""
        raise NotImplementedError(type(self).__name__)

    def choose(self, latents: Tensor, counts: Tensor | None = None) -> Tensor:
        """Codes (streams, codebooks, n) for latents (streams, dim, n).

        With `counts` (streams, n), frames have that many codebooks, and -1 beyond.
        """
        raise NotImplementedError(type(self).__name__)

    def push(self, latents: Tensor, samples: Tensor) -> Tensor:
        """See `CodeSearch`."""
        self._streams = len(latents)
        # Quantizers are never given no frames, which torch's convolutions refuse.
        return self.choose(latents) if latents.shape[2] else no_codes(self._streams, self.codebooks)

    def flush(self) -> Tensor:
        """See `CodeSearch`."""
        self.begin()
        return no_codes(self._streams, self.codebooks)


def no_codes(streams: int, codebooks: int) -> Tensor:
    """Those of no frames."""
    return torch.zeros(streams, codebooks, 0, dtype=torch.long)
