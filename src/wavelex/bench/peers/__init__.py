"""Other codecs to compare with, each a file: audio in, decoded audio and payload bits out."""

from __future__ import annotations

from wavelex.bench.evaluation import Transcoder
from wavelex.bench.peers.codec2 import codec2
from wavelex.bench.peers.opus import opus
from wavelex.errors import WavelexError


def peer(name: str) -> Transcoder:
    """A peer by `family-rate`, such as codec2-1200 or opus-6. Raises WavelexError for an unknown one."""
    family, _, rate = name.partition("-")
    if family == "codec2" and rate:
        return codec2(rate)
    if family == "opus" and rate.isdigit():
        return opus(int(rate))
    raise WavelexError(f"unknown peer {name!r}; give codec2-MODE (700C to 3200) or opus-KBPS")
