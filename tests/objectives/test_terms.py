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
        (["mpd"], {"mpd_features": {"loss": "wasserstein"}}, "loss 'wasserstein'; choose from hinge, least_squares"),
        (["multi_mel"], {"multi_mel": {"bands": [5]}}, "1 numbers of bands for 7 windows"),
        (["multi_mel"], {"multi_mel": {"scale": "bark"}}, "mel scale 'bark'; choose from htk, slaney"),
    ],
)
def test_objectives_that_cannot_be_made(terms: list[str], options: dict[str, dict[str, object]], message: str) -> None:
    with pytest.raises(WavelexError, match=message):
        make_objectives(terms, 16000, options)


def test_every_term_is_given_by_what_is_listed_for_it() -> None:
    for term, maker in TERMS.items():
        small = {"width": 0.05} if any(f"{name}_features" in TERMS and TERMS[name] is maker for name in TERMS) else {}
        (objective,) = make_objectives([term], 16000, {term: small}).values()
        assert term in objective.terms


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("mpd", "hinge"),
        ("mrd", "least_squares"),
        ("complex_mrd", "hinge"),
        ("ms_stft", "hinge"),
        ("msd", "least_squares"),
        ("spectrogram", "least_squares"),
    ],
)
def test_discriminators_of_samples_learn_and_teach(name: str, loss: str) -> None:
    """One objective gives both terms; the codec's terms leave the discriminators alone, and theirs the codec."""
    torch.manual_seed(0)
    (objective,) = make_objectives([name, f"{name}_features"], 16000, {name: {"width": 0.05, "loss": loss}}).values()
    batch = Batch(batch_of().samples[..., :4000], torch.zeros(1, 2, dtype=torch.long))
    samples = (batch.samples + 0.1 * torch.randn_like(batch.samples)).requires_grad_(True)
    made = made_of(batch)._replace(samples=samples)
    optimizer = torch.optim.Adam((p for critic in objective.critics() for p in critic.parameters()), 3e-3)
    before = float(objective.criticize(made, batch).detach())
    for _ in range(4):
        optimizer.zero_grad()
        objective.criticize(made, batch).backward()
        optimizer.step()
    assert samples.grad is None
    assert float(objective.criticize(made, batch).detach()) < before
    optimizer.zero_grad()
    terms = objective(made, batch, {}, GENERATOR)
    assert set(terms) == {name, f"{name}_features"}
    for term in terms.values():
        (gradient,) = torch.autograd.grad(term, samples, retain_graph=True)
        assert torch.isfinite(gradient).all() and float(gradient.abs().max()) > 0
    assert all(p.grad is None and p.requires_grad for critic in objective.critics() for p in critic.parameters())


@pytest.mark.parametrize("term", ["waveform", "log_mel", "multi_mel", "stft", "si_sdr"])
def test_distances_of_samples_are_least_for_equal_ones_and_finite_in_silence(term: str) -> None:
    (objective,) = make_objectives([term], 16000, {}).values()
    batch = batch_of()
    noise = torch.randn_like(batch.samples)
    found = [
        float(objective(made_of(batch)._replace(samples=batch.samples + a * noise), batch, {}, GENERATOR)[term]) for a in (0, 0.01, 0.1)
    ]
    assert found[0] < found[1] < found[2]
    silence = batch._replace(samples=torch.zeros(1, 1, 8000))
    samples = torch.zeros(1, 1, 8000, requires_grad=True)
    objective(made_of(silence)._replace(samples=samples), silence, {}, GENERATOR)[term].backward()
    assert torch.isfinite(samples.grad).all()


def test_encodecs_mel_distance_adds_magnitudes_to_squares() -> None:
    batch = batch_of()
    made = made_of(batch)
    options = {"windows": [512], "bands": [64], "squared": True}
    (plain,) = make_objectives(["multi_mel"], 16000, {"multi_mel": options}).values()
    (both,) = make_objectives(["multi_mel"], 16000, {"multi_mel": {**options, "magnitude": 2.0}}).values()
    bank, magnitudes = plain.distance.bank_0, plain.distance.analyses[0]
    ours, theirs = (torch.matmul(bank, magnitudes(x)).clamp(min=1e-5) for x in (made.samples, batch.samples))
    squares = float((ours.log10() - theirs.log10()).square().mean().detach())
    assert float(plain(made, batch, {}, GENERATOR)["multi_mel"].detach()) == pytest.approx(squares, rel=1e-5)
    added = float((ours - theirs).abs().mean().detach())
    assert float(both(made, batch, {}, GENERATOR)["multi_mel"].detach()) == pytest.approx(squares + 2 * added, rel=1e-4)


def test_discriminators_that_know_the_bit_rate_are_told_that_of_each_clip() -> None:
    (objective,) = make_objectives(["mpd"], 16000, {"mpd": {"width": 0.05, "rates": [2, 4, 8]}}).values()
    batch = Batch(torch.randn(4, 1, 4000), torch.zeros(4, 2, dtype=torch.long))
    codes = torch.where(torch.arange(9)[:, None] < torch.tensor([[1], [2], [3], [9]])[..., None], 0, -1).expand(4, 9, 12)
    made = Made(batch.samples * 0.8, torch.zeros(4, 4, 12), Quantized(torch.zeros(4, 4, 12), codes, torch.zeros(())))
    (row,) = objective.condition(made)
    assert row.tolist() == [0, 0, 1, 2]
    assert objective.condition(made._replace(quantized=None))[0].tolist() == [2] * 4
    optimizer = torch.optim.SGD(objective.parameters(), 1.0)
    objective.criticize(made, batch).backward()
    optimizer.step()
    assert all(float(member.rows.detach().abs().max()) > 0 for member in objective.discriminators.members)
    other = made._replace(quantized=None)
    assert objective(made, batch, {}, GENERATOR)["mpd"].item() != objective(other, batch, {}, GENERATOR)["mpd"].item()


def test_other_discriminators_take_no_rates() -> None:
    with pytest.raises(WavelexError, match="objective of msd cannot be made"):
        make_objectives(["msd"], 16000, {"msd": {"rates": [2, 4]}})
