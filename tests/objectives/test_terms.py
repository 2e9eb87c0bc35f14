"""Objectives by name: made once, sharing their spectra, refused in words."""

from __future__ import annotations

import gc

import pytest
import torch
from conftest import voice

from wavelex.errors import WavelexError
from wavelex.objectives import TERMS, make_objectives
from wavelex.objectives.base import Batch, Made
from wavelex.objectives.reconstruction import Reconstruction, ReconstructionWeights
from wavelex.quantizers.base import Quantized

GENERATOR = torch.Generator()


def batch_of(seed: int = 0) -> Batch:
    return Batch(torch.from_numpy(voice(0.5, seed=seed))[None, None], torch.zeros(1, 2, dtype=torch.long))


def made_of(batch: Batch, quantized: Quantized | None = None) -> Made:
    return Made(batch.samples.clone().requires_grad_(True) * 0.8, torch.zeros(1, 4, 25), quantized)


def test_terms_are_those_that_the_search_minimises() -> None:
    batch = batch_of()
    made = made_of(batch)
    objectives = make_objectives(["mel", "complex", "loudness"], 16000, {})
    found = {}
    for objective in objectives.values():
        found |= objective(made, batch, {}, GENERATOR)
    whole = Reconstruction(16000, ReconstructionWeights(1.0, 1.0, 1.0))
    expected = whole(*whole.analyse(made.samples, batch.samples))
    assert {name: value.item() for name, value in found.items()} == {name: value.item() for name, value in expected.items()}


def test_spectra_are_computed_once_and_forgotten_with_their_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    objectives = make_objectives(["mel", "complex", "loudness", "features", "adversarial"], 16000, {"adversarial": {"width": 4}})
    assert list(objectives) == ["mel", "complex", "loudness", "features"]
    shared = objectives["mel"].spectra
    asked = []
    for window, analysis in shared.analyses.items():
        forward = analysis.forward
        monkeypatch.setattr(analysis, "forward", lambda x, w=window, f=forward: (asked.append(w), f(x))[1])
    batch = batch_of()
    made = made_of(batch)
    terms = {}
    for objective in objectives.values():
        terms |= objective(made, batch, {}, GENERATOR)
    assert set(terms) == {"mel", "complex", "loudness", "features", "adversarial"}
    assert sorted(asked) == sorted(2 * ["128", "256", "512", "1024", "2048"])
    other = batch_of(1)
    again = objectives["mel"](made._replace(samples=other.samples), other, {}, GENERATOR)
    assert float(again["mel"]) == 0
    del made, batch, other, terms, again
    gc.collect()
    shared(batch_of().samples, [512])
    assert len(shared._known) == 1


def test_commitment_is_what_the_quantizer_asks_for() -> None:
    objective = make_objectives(["commitment"], 16000, {})["commitment"]
    batch = batch_of()
    assert objective(made_of(batch), batch, {}, GENERATOR) == {}
    quantized = Quantized(torch.zeros(1, 4, 25), torch.zeros(1, 8, 25, dtype=torch.long), torch.tensor(2.5))
    assert objective(made_of(batch, quantized), batch, {}, GENERATOR) == {"commitment": 2.5}


def test_critics_are_taught_without_a_gradient_to_the_codec_and_are_no_heads() -> None:
    objective = make_objectives(["adversarial"], 16000, {"adversarial": {"width": 4, "windows": [256]}})["adversarial"]
    batch = batch_of()
    samples = batch.samples.clone().requires_grad_(True)
    objective.criticize(made_of(batch)._replace(samples=samples), batch).backward()
    assert samples.grad is None and objective.heads() == []
    assert all(p.grad is not None for critic in objective.critics() for p in critic.parameters())


@pytest.mark.parametrize(("hertz", "judged"), [(500, False), (6000, True)])
def test_critics_judge_the_band_above_only(hertz: int, judged: bool) -> None:
    batch = batch_of()
    samples = (batch.samples + 0.1 * torch.sin(2 * torch.pi * hertz * torch.arange(8000) / 16000)).requires_grad_(True)
    norms = {}
    for above in (0.0, 3000.0):
        torch.manual_seed(0)
        objective = make_objectives(["features"], 16000, {"features": {"width": 8, "above": above}})["features"]
        loss = objective(made_of(batch)._replace(samples=samples), batch, {}, GENERATOR)["features"]
        spectrum = torch.fft.rfft(torch.autograd.grad(loss, samples)[0][0, 0]).abs()
        norms[above] = float(loss.detach())
        if above:
            # 8000 samples: bin 1250 is 2.5 kHz, which the shortest window's first bin above does not reach.
            assert float(spectrum[:1250].square().sum()) < 1e-3 * float(spectrum.square().sum())
    assert (norms[3000.0] > 0.1 * norms[0.0]) is judged


@pytest.mark.parametrize(
    ("terms", "options", "message"),
    [
        (["mel", "beauty"], {}, "no objective gives beauty; this version knows mel, complex"),
        (["mel"], {"beauty": {}}, "no objective gives beauty"),
        (["mel"], {"mel": {"colour": 1}}, "objective of mel cannot be made with"),
        (["mel"], {"mel": {"bands": {"x": 1}}}, "objective of mel cannot be made with"),
        (["adversarial"], {"features": {"windows": [-4]}}, "objective of adversarial cannot be made with"),
    ],
)
def test_objectives_that_cannot_be_made(terms: list[str], options: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(WavelexError, match=message):
        make_objectives(terms, 16000, options)


def test_every_term_is_given_by_what_is_listed_for_it() -> None:
    for term in TERMS:
        (objective,) = make_objectives([term], 16000, {}).values()
        assert term in objective.terms
