"""Parts that keep single precision when the rest of a model is cast to half."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class FullPrecision(nn.Module):
    """A module whose floating-point parameters and buffers never get below float32: `.half()` and `.bfloat16()` leave them alone.

    For Fourier transforms, which know no half precision, and for codebooks, where a rounded vector would be another one.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FullPrecision:
        def moved(value: Tensor) -> Tensor:
            found = fn(value)
            if value.is_floating_point() and found.dtype in (torch.float16, torch.bfloat16):
                # Moved as asked for, but cast back from the values before, which have lost nothing.
                return value.to(found.device)
            return found

        super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return self
