"""Whether networks train in bfloat16, which halves their time on machines that compute in it and multiplies it on others."""

from __future__ import annotations

import torch

PRECISIONS = ("auto", "float32", "bfloat16")


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """What a precision means on a device; `auto` is bfloat16 where there are instructions for it."""
    return computes_bfloat16(device) if precision == "auto" else precision == "bfloat16"


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has arithmetic in bfloat16; where torch cannot tell, it is taken to have none."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any("bf16" in name and there is True for name, there in capabilities.items())
