"""What tests beside published classes share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


@torch.no_grad()
def randomise(module: nn.Module, seed: int = 0) -> None:
    """Weights under which signals keep their size from layer to layer, so that nothing is equal by being silent."""
    torch.manual_seed(seed)
    for name, parameter in module.named_parameters():
        if name.endswith(("alpha", "original0", "weight_g")) or "norm.weight" in name:
            parameter.uniform_(0.3, 0.9)
        elif parameter.ndim > 1:
            parameter.normal_(0, 0.6 * parameter[0].numel() ** -0.5)
        else:
            parameter.normal_(0, 0.02)


def share_equal(ours: Tensor, theirs: Tensor) -> float:
    """Of codes, of which two nearly equally near ones may be told apart by the last bit."""
    assert ours.shape == theirs.shape
    return float(np.mean((ours == theirs).numpy()))
