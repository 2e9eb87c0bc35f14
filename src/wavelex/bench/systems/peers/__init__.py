"""Other codecs to compare with, one file each."""

from __future__ import annotations

from pathlib import Path

from wavelex.bench.systems.peers.amrwb import AmrWb
from wavelex.bench.systems.peers.codec2 import Codec2
from wavelex.bench.systems.peers.folder import Folder
from wavelex.bench.systems.peers.lyra import Lyra
from wavelex.bench.systems.peers.opus import Opus
from wavelex.bench.systems.peers.speex import Speex
from wavelex.bench.systems.peers.transformers import transformers_codec
from wavelex.bench.systems.system import System
from wavelex.errors import WavelexError

EVERY = (
    *("codec2-700C", "codec2-1200", "codec2-1600", "codec2-2400", "codec2-3200"),
    *("lyra-3.2", "lyra-6.0", "lyra-9.2"),
    *("speex-4", "speex-6", "speex-10"),
    *("opus-6", "opus-8", "opus-12"),
    *("amrwb-6.60", "amrwb-8.85", "amrwb-12.65"),
)
"""What `all` stands for."""


def peer(name: str, lyra: Path | None = None) -> System:
    """A peer by name; `lyra` is the folder of Lyra's model files. Raises WavelexError for one unknown or not installed."""
    family, _, rest = name.partition(":")
    if rest and family in ("folder", "hf"):
        path, at, rate = rest.rpartition("@") if "@" in rest else (rest, "", "")
        try:
            if family == "folder":
                return Folder(Path(path), float(rate) if at else None)
            return transformers_codec(Path(path), int(rate) if at else None)
        except ValueError as error:
            raise WavelexError(f"peer {name!r}: {rate!r} is not a number; give folder:PATH@KBPS or hf:PATH@CODEBOOKS") from error
    family, _, rate = name.partition("-")
    if family == "codec2" and rate:
        return Codec2(rate)
    if family == "amrwb" and rate:
        return AmrWb(rate)
    if family == "opus" and rate.isdigit():
        return Opus(int(rate))
    if family == "speex" and rate.isdigit():
        return Speex(int(rate))
    if family == "lyra" and rate:
        if lyra is None:
            raise WavelexError(f"peer {name} needs Lyra V2's model files; give their folder with --lyra")
        return Lyra(rate, lyra)
    raise WavelexError(
        f"unknown peer {name!r}; give codec2-MODE, opus-KBPS, speex-KBPS, amrwb-KBPS, lyra-KBPS, "
        "hf:CHECKPOINT[@CODEBOOKS], folder:RECONSTRUCTIONS[@KBPS], or all"
    )


def choose_peers(names: str, lyra: Path | None = None) -> tuple[list[System], dict[str, str]]:
    """Peers by names with commas, and why those that `all` stands for are left out.

    A peer asked for by its own name must be there: raises WavelexError when it is not.
    """
    systems: list[System] = []
    missing: dict[str, str] = {}
    for name in [name for name in names.split(",") if name]:
        if name != "all":
            systems.append(peer(name, lyra))
            continue
        for member in EVERY:
            try:
                systems.append(peer(member, lyra))
            except WavelexError as error:
                missing[member] = str(error)
    return systems, missing
