"""Arguments of discriminators that several designs share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DAC_DISCRIMINATORS: Mapping[str, Mapping[str, Any]] = {
    "mpd": {"loss": "least_squares", "average": False, "level": True, "whole": True, "first_map": True, "logits_map": False},
    "complex_mrd": {"loss": "least_squares", "average": False, "hop_aligned": True, "first_map": True, "logits_map": False},
}
"""Those of DAC's released code: added up, all feature maps but the last, signals at one level."""
