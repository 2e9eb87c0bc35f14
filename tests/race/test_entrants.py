"""Who can take part, and what is refused."""

from __future__ import annotations

import pytest

from wavelex.designs import DESIGNS
from wavelex.errors import WavelexError
from wavelex.race.entrants import ABLATIONS, OWN, choose, known


def names(text: str) -> list[str]:
    return [entrant.name for entrant in choose(text)]


def test_every_design_and_every_ablation_takes_part_once() -> None:
    assert names("all") == [*sorted(DESIGNS), *(entrant.name for entrant in ABLATIONS)] == list(known())


def test_some_are_chosen_by_name_in_one_order_and_once() -> None:
    assert names("codes_8192, speech_16k,codes_8192") == ["speech_16k", "codes_8192"]
    assert names("designs") == sorted(DESIGNS)


def test_ablations_bring_what_they_are_compared_with() -> None:
    chosen = names("ablations")
    assert chosen[0] == OWN and len(chosen) == len(ABLATIONS) + 1
    assert all(entrant.against in chosen for entrant in ABLATIONS)


@pytest.mark.parametrize("text", ["speech_8k", "all,none", "", " , "])
def test_unknown_entrants_are_refused(text: str) -> None:
    with pytest.raises(WavelexError, match=r"choose from all, designs, ablations, .*speech_16k"):
        choose(text)


@pytest.mark.parametrize("entrant", [entrant for entrant in known().values() if entrant.design == OWN], ids=lambda entrant: entrant.name)
def test_an_ablation_differs_in_one_argument_and_in_nothing_of_the_networks(entrant) -> None:  # type: ignore[no-untyped-def]
    model = entrant.build()
    assert model.arguments == entrant.all_arguments
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in known()[OWN].build().parameters()) <= 3e6
    if entrant.against:
        changed = set(entrant.all_arguments.items()) ^ set(known()[entrant.against].all_arguments.items())
        assert len({key for key, _ in changed}) == 1
