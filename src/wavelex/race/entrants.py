"""Who takes part: every design at its small preset, and one design with one thing changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wavelex.codec.model import CodecModel
from wavelex.designs import DESIGNS, build
from wavelex.errors import WavelexError

PRESET = "small"
OWN = "speech_16k"
"""The design that the ablations change."""
DESIGN_GROUP = "designs"


@dataclass(frozen=True)
class Entrant:
    """A design with arguments beside those of its small preset."""

    name: str
    """Also that of its folder."""
    design: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    about: str = ""
    """What is special about it, in a few words."""
    group: str = DESIGN_GROUP
    """The table that it stands in."""
    against: str = ""
    """Of an ablation: the entrant that it differs from in one thing."""

    def build(self) -> CodecModel:
        """With fresh weights. Raises WavelexError where that cannot be."""
        return build(self.design, self.arguments, PRESET)

    @property
    def all_arguments(self) -> dict[str, Any]:
        """With those of the preset."""
        return {**DESIGNS[self.design].small, **self.arguments}


ABLATIONS = (
    Entrant(
        "masked_channels",
        OWN,
        {"masked_groups": 3},
        "each of the first three codebooks sees a third of the channels (MCRVQ, as in Language-Codec), against plain residual quantization",
        "masked channels",
        OWN,
    ),
    Entrant("codes_8192", OWN, {"codebook_size": 8192}, "codebooks of 8192 vectors, against 1024", "codebook size", OWN),
    Entrant(
        "published_averages",
        OWN,
        {"averages": "published"},
        "codebooks whose averages forget k-means and the revival of unused vectors, as in EnCodec's code and what was made from it, "
        "against ours, with 1024 vectors",
        "published averages",
        OWN,
    ),
    Entrant(
        "published_averages_8192",
        OWN,
        {"averages": "published", "codebook_size": 8192},
        "the same with 8192 vectors",
        "published averages",
        "codes_8192",
    ),
    Entrant(
        "summed_gradient",
        OWN,
        {"gradient": "summed"},
        "a gradient straight through each layer, added up (as in the code of Language-Codec and WavTokenizer), against one of the identity",
        "gradient",
        OWN,
    ),
    Entrant("rotated_gradient", OWN, {"gradient": "rotate"}, "the rotation trick, against straight through", "gradient", OWN),
)


def known() -> dict[str, Entrant]:
    """All entrants by name: the designs in the order of their names, then the ablations."""
    designs = [Entrant(name, name, about=DESIGNS[name].card.summary) for name in sorted(DESIGNS)]
    return {entrant.name: entrant for entrant in (*designs, *ABLATIONS)}


def choose(names: str) -> list[Entrant]:
    """Entrants by name, with commas; `all`, `designs`, or `ablations`, which brings what they are compared with.

    Raises WavelexError for an unknown one, and for none.
    """
    everyone = known()
    compared = {name for entrant in ABLATIONS for name in (entrant.name, entrant.against)}
    sets = {"all": list(everyone), "designs": sorted(DESIGNS), "ablations": [name for name in everyone if name in compared]}
    wanted: dict[str, None] = {}
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in sets and name not in everyone:
            raise WavelexError(f"unknown entrant {name[:40]!r}; choose from {', '.join((*sets, *everyone))}")
        wanted |= dict.fromkeys(sets.get(name, [name]))
    if not wanted:
        raise WavelexError(f"no entrants in {names!r}; choose from {', '.join((*sets, *everyone))}")
    return [everyone[name] for name in everyone if name in wanted]
