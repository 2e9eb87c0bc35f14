"""What a decoded clip is measured by, one file each; each says which sample rate it is made for."""

from __future__ import annotations

from wavelex.errors import WavelexError
from wavelex.metrics import dnsmos, frame_buzz, level, mcd, mel, pesq, pitch, si_sdr, speaker, stoi, words
from wavelex.metrics.base import Metric

ALL: tuple[Metric, ...] = tuple(
    module.METRIC for module in (pesq, stoi, si_sdr, mel, mcd, level, frame_buzz, pitch, dnsmos, speaker, words)
)


def choose(names: str) -> tuple[Metric, ...]:
    """Metrics by name, with commas, or `all`. Raises WavelexError for an unknown one."""
    if names == "all":
        return ALL
    known = {metric.name: metric for metric in ALL}
    wanted = [name for name in names.split(",") if name]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise WavelexError(f"unknown metric {unknown[0] if unknown else names!r}; choose from {', '.join(known)}, or all")
    return tuple(known[name] for name in wanted)
