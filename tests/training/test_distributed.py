"""Several processes end with the same weights, those that one process with all their clips would have."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing
from conftest import TINY, voice
from small_run import make_trainer, small_settings
from torch import Tensor, nn

from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.designs import build
from wavelex.objectives.base import Batch
from wavelex.quantizers.binary import Binary
from wavelex.quantizers.codebook import Codebook
from wavelex.quantizers.sim import SimVQ
from wavelex.training.data import PackedAudio
from wavelex.training.distributed import ALONE, Ranks, launched
from wavelex.training.settings import Settings
from wavelex.training.trainer import Trainer


def recordings(folder: Path) -> PackedAudio:
    path = folder / "a.wav"
    if not path.exists():
        write_audio(path, Audio(voice(6)[None], 16000))
    return PackedAudio([path], 16000, folder / "cache", lambda done: None)


def trainer_of(folder: Path, settings: Settings, ranks: Ranks = ALONE) -> Trainer:
    # Other weights in each process, which the first one's replace.
    torch.manual_seed(ranks.rank)
    return Trainer(build("speech_16k", TINY), settings, recordings(folder), torch.device("cpu"), ranks=ranks)


def whole(trainer: Trainer) -> dict[str, Tensor]:
    """Everything that a run has learned."""
    return {
        **trainer.codec.state_dict(),
        **{f"{name}.{key}": value for name, objective in trainer.objectives.items() for key, value in objective.state_dict().items()},
        **{f"mean {name}": value for name, value in (trainer.balancer.means if trainer.balancer else {}).items()},
    }


def in_processes(work: Callable[..., Any], world: int, folder: Path, *given: Any) -> list[Any]:
    """What `work(ranks, folder, *given)` gives in each of so many processes."""
    recordings(folder)
    torch.multiprocessing.spawn(_process, (world, work, folder, given), nprocs=world)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(world)]


def _process(rank: int, world: int, work: Callable[..., Any], folder: Path, given: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = (folder / "port").read_text()
    with launched("cpu") as (ranks, _):
        torch.save(work(ranks, folder, *given), folder / f"{rank}.pt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "port").write_text(str(free.getsockname()[1]))
    return tmp_path


def train(ranks: Ranks, folder: Path, settings: Settings, bad: int) -> dict[str, Any]:
    """All steps of a run; the first process's clips of step `bad` are not finite."""
    trainer = trainer_of(folder, settings, ranks)
    batch = trainer._batch
    if ranks.first:
        trainer._batch = lambda step, part=0: Batch(
            batch(step, part).samples * (torch.nan if step == bad else 1.0), batch(step, part).clips
        )
    taught = [bool(trainer.step()) for _ in range(settings.steps)]
    return {"taught": taught, "seen": trainer.progress.samples_seen, "clips": batch(0).clips, "state": whole(trainer)}


def codebook_and_gradients(ranks: Ranks) -> dict[str, Any]:
    """A codebook on inputs that lie in two processes, and gradients of which some are missing."""
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    mine = x[:120] if ranks.first else x[120:]
    book = Codebook(8, 3)
    ranks.share_codebooks(book)
    book.start(mine)
    usage = book.usage.clone()
    # Vectors that no input has won for long, which are moved to inputs of either process.
    book.usage[:2] *= 1e-6
    book.total[:2] *= 1e-6
    book.learn(mine, book.nearest(mine))
    everything = ranks._draw(mine, 400)
    parameters = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    parameters[0].grad = torch.full((2,), float(ranks.rank))
    if ranks.rank == 1:
        parameters[1].grad = torch.ones(2)
    ranks.average_gradients(parameters)
    return {
        "vectors": book.vectors,
        "usage": usage,
        "drawn": everything,
        "gradients": [p.grad for p in parameters],
        "said": (ranks.any(ranks.rank == 1), ranks.all(ranks.rank == 1), ranks.all(True), ranks.any(False)),
    }


def counts_and_entropies(ranks: Ranks) -> dict[str, Any]:
    """Other quantizers on a batch that lies in two processes, or all of it in one."""
    torch.manual_seed(0)
    x = torch.randn(4, 6, 30)
    mine = x if ranks.world == 1 else x[:3] if ranks.first else x[3:]
    sim, binary = SimVQ(6, 2, 16), Binary(6, 6, temperature=1.0)
    for quantizer in (sim, binary):
        ranks.share_codebooks(quantizer.train())
    # The second process uses one codebook only, and still counts both.
    sim(mine, torch.tensor([2, 2, 1, 1])[: len(x)] if ranks.world == 1 else torch.tensor([2, 2, 1] if ranks.first else [1]))
    logits = mine.clone().requires_grad_()
    variety = binary._variety(logits.transpose(1, 2).flatten(0, 1).sigmoid())
    variety.backward()
    moments = binary.average(mine.transpose(1, 2).flatten(0, 1))
    return {"usage": sim.usage(), "variety": variety.detach(), "gradient": logits.grad, "moments": moments}


def all_at_once(ranks: Ranks, folder: Path, skipping: Settings, plain: Settings) -> dict[str, Any]:
    """One start of two processes for everything that they do, since that takes longest."""
    return {
        "skipping": train(ranks, folder, skipping, 3),
        "plain": train(ranks, folder, plain, -1),
        "parts": codebook_and_gradients(ranks),
        "others": counts_and_entropies(ranks),
    }


@pytest.mark.slow
def test_two_processes_train_as_one(folder: Path) -> None:
    skipping = small_settings(1, 2, 3, batch=2, kmeans_batches=11, balance=True, accumulate=2)
    plain = small_settings(3, 0, 0, batch=2, clip=1e3)
    one, other = in_processes(all_at_once, 2, folder, skipping, plain)
    # Both skip the step that is not finite in one, and end with the same bits, having seen clips of their own.
    first, second = one["skipping"], other["skipping"]
    assert first["taught"] == second["taught"] == [True, True, True, False, True, True]
    assert not torch.equal(first["clips"], second["clips"])
    assert first["seen"] == 6 * 2 * 2 * 2 * 8000
    for name, value in first["state"].items():
        assert torch.equal(value, second["state"][name]), name
    # Where nothing depends on the batch, they are one process with twice the clips.
    alone = trainer_of(folder, replace(plain, batch=4))
    for _ in range(3):
        alone.step()
    for name, value in alone.codec.encoder.state_dict().items():
        torch.testing.assert_close(one["plain"]["state"][f"encoder.{name}"], value, rtol=1e-3, atol=2e-4)
    expected = counts_and_entropies(ALONE)
    for found in (one["others"], other["others"]):
        for ours, theirs in zip(found["usage"], expected["usage"], strict=True):
            torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(found["variety"], expected["variety"])
        torch.testing.assert_close(found["moments"], expected["moments"])
    assert torch.equal(one["others"]["moments"], other["others"]["moments"])
    both = torch.cat([one["others"]["gradient"], other["others"]["gradient"]])
    torch.testing.assert_close(both / 2, expected["gradient"])
    # Codebooks learn from the inputs of both, gradients are means, and a process may have none.
    ours, theirs = one["parts"], other["parts"]
    assert torch.equal(ours["vectors"], theirs["vectors"])
    assert float(ours["usage"].sum()) == pytest.approx(200)
    rows = {tuple(row) for row in torch.randn(200, 3, generator=torch.Generator().manual_seed(0)).tolist()}
    assert {tuple(row) for row in ours["drawn"].tolist()} <= rows and len({tuple(row) for row in ours["drawn"].tolist()}) > 150
    for parts in (ours, theirs):
        assert [None if g is None else g.tolist() for g in parts["gradients"]] == [[0.5, 0.5], [0.5, 0.5], None]
        assert parts["said"] == (True, False, True, False)


def test_processes_share_the_clips_that_one_would_draw(tmp_path: Path) -> None:
    audio = recordings(tmp_path)
    whole_batch = make_trainer(audio, small_settings(batch=12))._batch(5)
    drawn = []
    for rank in range(2):
        trainer = make_trainer(audio, small_settings(batch=3, accumulate=2))
        trainer.ranks = Ranks(rank, 2)
        drawn += [trainer._batch(5, part) for part in range(2)]
    assert torch.equal(torch.cat([batch.samples for batch in drawn]), whole_batch.samples)
    assert torch.equal(torch.cat([batch.clips for batch in drawn]), whole_batch.clips)
