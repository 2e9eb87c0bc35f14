"""The page: all entrants, grouped by rate, with ablations apart and what is missing said."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import make_codec, voice

from wavelex.audio.recordings import list_recordings
from wavelex.audio.samples import Audio
from wavelex.audio.writing import write_audio
from wavelex.bench.run.results import RATE_COLUMNS, Entry, Results
from wavelex.bench.run.scoring import Failure, Item, Task
from wavelex.bench.run.scoring import score as score_clip
from wavelex.codec.checkpoint import save_codec
from wavelex.codec.model import CodecModel
from wavelex.metrics import choose as choose_metrics
from wavelex.metrics.base import Column, Metric
from wavelex.race.blocks import Block, Cell, html, markdown
from wavelex.race.entrants import Entrant, known
from wavelex.race.laps import Standing
from wavelex.race.page import TITLE, blocks
from wavelex.race.rules import common_settings
from wavelex.race.score import Scores, Way, coding_speed, counts_near, score
from wavelex.training.run import LATEST
from wavelex.training.trainer import Progress

PESQ = Column("pesq_wb", "PESQ-WB", 1, 3)
SETTINGS = common_settings(0.5)
BOOKS = [{"size": 1024, "used": 0.5, "perplexity": 256.0, "entropy": 8.0}, {"size": 1024, "used": 0.25, "perplexity": 64.0, "entropy": 6.0}]


def standing(name: str, step: int = SETTINGS.steps, failure: str = "") -> Standing:
    return Standing(known()[name], Progress(step=step, cpu_seconds=2.0 * step), SETTINGS, failure)


def figures(levels: dict[str, float]) -> Scores:
    """Results of six recordings, in which all systems go up and down together around their levels; at 1.5 kbit/s."""
    spread = np.linspace(-0.5, 0.5, 6)
    entries = [
        Entry(
            f"{index}.wav",
            f"{index}",
            "speech",
            "",
            "clean",
            system,
            {"kbps": 1.6, "tokens": 150.0, "seconds": 2.0, PESQ.name: level + off},
        )
        for system, level in {**{f"{name}@3e0": level for name, level in levels.items()}, "original": 4.6}.items()
        for index, off in enumerate(spread)
    ]
    systems = {f"{name}@3e0": {"family": name, "about": {}, "latency": 0.1, "codebooks": BOOKS} for name in levels}
    systems["original"] = {"family": "original", "about": {}, "latency": 0.0}
    about = {"recordings": 6, "seconds": 12.0, "speakers": 0, "data_hash": "abc", "date": "today", "command": "wavelex race x"}
    metrics = {"pesq": {"version": "1", "settings": "", "columns": PESQ.name}}
    results = Results(about, [*RATE_COLUMNS, PESQ], metrics, systems, entries, [], {})
    ways = {f"{name}@3e0": Way(known()[name], 3, 1500.0, 1500.0) for name in levels}
    return Scores(results, ways, dict.fromkeys(levels, 80.0), {"codes_8192": "no such thing"})


def rows_under(page: str, heading: str) -> list[list[str]]:
    """Cells of the table under a heading of the Markdown, without its head."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]


def test_a_page_has_all_entrants_whatever_became_of_them() -> None:
    standings = [standing(name, step=0) for name in known()]
    standings[1] = standing(standings[1].entrant.name, 90)
    standings[2] = standing(standings[2].entrant.name, 0, "it broke")
    rows = rows_under(markdown(TITLE, blocks(standings, None, 0.5)), "Training and speed")
    assert [row[0] for row in rows] == list(known())
    assert [row[-1] for row in rows[:4]] == ["not begun", "40%", "failed: it broke", "not begun"]
    assert rows[1][2:5] == ["0.200", "3.0", "0.25"]


def test_designs_stand_by_rate_and_ablations_in_tables_of_their_own() -> None:
    names = ["speech_16k", "masked_channels", "published_averages"]
    scores = figures({"speech_16k": 2.5, "masked_channels": 2.4, "published_averages": 2.5})
    page = markdown(TITLE, blocks([standing(name) for name in names], scores, 0.5))
    assert [row[0] for row in rows_under(page, "Up to 1.5 kbit/s")] == ["speech_16k", "the recordings themselves"]
    assert rows_under(page, "Up to 1.5 kbit/s")[0][1:5] == ["3", "1.50", "1.60", "150"]
    assert [row[0] for row in rows_under(page, "Ablation: masked channels")] == ["speech_16k", "masked_channels"]
    ((pair, rate, difference),) = rows_under(page, "Differences: masked channels")
    assert (pair, rate) == ("masked_channels, speech_16k", "Up to 1.5 kbit/s")
    # The recordings differ more than the codecs; the pairs do not.
    assert difference == "-0.100 (-0.100 to -0.100), worse"
    assert rows_under(page, "Differences: published averages")[0][2].endswith("draw")
    assert "Ablation: gradient" not in page and "published_averages_8192" not in page
    assert rows_under(page, "Codes")[0] == ["speech_16k", "2", "1024", "37.5", "25.0", "7.00", "10.00"]
    assert re.search(r"\n## Not measured\n\ncodes_8192: no such thing\n", page)


def test_the_best_comes_first_and_the_page_says_what_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = {name: Entrant(name, "speech_16k", group="designs") for name in ("low", "high", "middle")}
    monkeypatch.setattr(f"{__name__}.known", lambda: everyone)
    scores = figures({"low": 1.5, "high": 3.5, "middle": 2.5})
    page = markdown(TITLE, blocks([standing(name) for name in everyone], scores, 0.5))
    assert [row[0] for row in rows_under(page, "Up to 1.5 kbit/s")] == ["high", "middle", "low", "the recordings themselves"]
    assert "3.500 ±0." in page and "Equal small compute is not the published result." in page


def test_a_page_with_any_text_stays_a_table() -> None:
    made = [Block("A | b", ["<i>*not* [this]"], ["codec"], [[Cell("a|b\n<script>", 1.0)]])]
    assert markdown("t", made).splitlines() == [
        "# t", "", "## A \\| b", "", "&lt;i&gt;\\*not\\* \\[this\\]", "", "| codec |", "|---|", "| a\\|b &lt;script&gt; |",
    ]  # fmt: skip
    page = html("t", made)
    assert "<script>" not in page.split("<table")[1].split("</table>")[0] and 'data-v="1"' in page


class Rated:
    """Stands for a model of some codebooks of so many bits, so many frames a second."""

    def __init__(self, codebooks: int, bits: float, frame_rate: float) -> None:
        self.codebooks, self.bits, self.frame_rate = codebooks, bits, frame_rate

    def bitrate(self, count: int) -> float:
        return self.frame_rate * self.bits * count


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Rated(8, 10, 50), {1: 750, 3: 1500, 6: 3000, 8: 6000}),
        (Rated(8, 13, 50), {1: 750, 2: 1500, 4: 3000, 8: 6000}),
        (Rated(32, 11, 12.5), {5: 750, 10: 1500, 21: 3000, 32: 6000}),
        (Rated(1, 10, 16000 / 213), {1: 750}),
        (Rated(1, 13, 100), {1: 1500}),
        (Rated(8, 10, 700), {1: float("inf")}),
    ],
)
def test_the_numbers_of_codebooks_come_nearest_below_the_rates(model: CodecModel, expected: dict[int, float]) -> None:
    assert counts_near(model) == expected


def test_speed_is_cpu_time_and_counts_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, clock = make_codec(), iter([0.0, 9.0, 10.0, 12.0, 20.0, 21.0])
    monkeypatch.setattr("time.process_time", lambda: next(clock))
    assert coding_speed(codec, voice(3.0)) == pytest.approx(3.0)


def in_this_process(
    missing: dict[Item, tuple[Task, ...]], metrics: tuple[Metric, ...], cache: Path, workers: int, progress: Callable[[int], None]
) -> list[Failure]:
    return [failure for item, tasks in missing.items() for failure in score_clip(item, tasks, metrics, cache)]


class Silent:
    def begin(self, what: str, total: int) -> None: ...

    def advance(self, count: int) -> None: ...


def test_what_was_learned_is_measured_and_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In this process: starting others takes longer than all else.
    monkeypatch.setattr("wavelex.bench.run.benchmark.measure", in_this_process)
    (tmp_path / "test").mkdir()
    for index in range(2):
        write_audio(tmp_path / "test" / f"{index}.wav", Audio(voice(1.0, seed=index)[None], 16000))
    (tmp_path / "speech_16k").mkdir()
    save_codec(tmp_path / "speech_16k" / LATEST, make_codec().model, "tiny")
    standings = [standing("speech_16k"), standing("codes_8192"), standing("masked_channels", step=10)]
    scores = score(tmp_path, standings, list_recordings(tmp_path / "test"), choose_metrics("si_sdr"), Silent())
    assert {name: (way.codebooks, way.rate) for name, way in scores.ways.items()} == {
        f"speech_16k@{count}e0": (count, rate) for count, rate in ((1, 750), (3, 1500), (6, 3000), (8, 6000))
    }
    assert len(scores.results.entries) == 2 * 5 and all("si_sdr" in entry.values for entry in scores.results.entries)
    assert list(scores.failures) == ["codes_8192"] and scores.speeds["speech_16k"] > 0
    page = markdown(TITLE, blocks(standings, scores, 0.5))
    assert len(rows_under(page, "Training and speed")) == 3 and rows_under(page, "Up to 6 kbit/s")[0][0] == "speech_16k"
