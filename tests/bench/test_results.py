"""Results: means, files that give them back, the gate, and the pages made of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import voice
from pyarrow import parquet

from wavelex.audio.recordings import Recording
from wavelex.bench.report.compare import compare_all, families
from wavelex.bench.report.html import page
from wavelex.bench.report.markdown import markdown
from wavelex.bench.report.plots import rate_curves
from wavelex.bench.run.benchmark import codebook_use, distinct
from wavelex.bench.run.conditions import Condition
from wavelex.bench.run.exhibit import EXHIBIT, Exhibit, Gallery, choose_exhibits
from wavelex.bench.run.gate import judge
from wavelex.bench.run.results import RATE_COLUMNS, Entry, Results
from wavelex.bench.run.scoring import Item
from wavelex.bench.systems.own import Own
from wavelex.bench.systems.system import Original
from wavelex.errors import WavelexError
from wavelex.metrics.base import Column

CLIPS = 30
ABOUT = {
    "wavelex": "0", "command": "wavelex bench <set>", "date": "today", "machine": "a machine", "python": "3", "packages": {"torch": "2"},
    "recordings": CLIPS, "speakers": 10, "seconds": 60.0, "data_hash": "abc", "wall_seconds": 1.0, "measured_now": 3,
}  # fmt: skip
MADE = {"version": "revision 1", "settings": "as usual", "columns": "pesq_wb"}


def results(seed: int = 5, **shifts: float) -> Results:
    """Systems a@1, a@2 (ours), b (a peer), with PESQ 2, 3 and 2.5 plus a shift and paired noise."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 0.5, CLIPS)
    entries = []
    for name, base, kbps in (("original", 4.6, 256.0), ("a@1", 2.0, 1.0), ("a@2", 3.0, 2.0), ("b", 2.5, 1.5)):
        for clip in range(CLIPS):
            score = base + shifts.get(name.replace("@", ""), 0.0) + hard[clip] + rng.normal(0, 0.05)
            values = {"seconds": 2.0, "kbps": kbps, "file_kbps": kbps + 0.1, "delay_ms": 0.0, "pesq_wb": score}
            entries.append(Entry(f"clip{clip:02}.wav", f"content{clip}", "speech", f"speaker{clip % 10}", "clean", name, values))
    systems = {
        name: {"family": name.partition("@")[0], "about": {"version": "<1>"}, "latency": 0.02} for name in ("original", "a@1", "a@2", "b")
    }
    systems["a@1"]["codebooks"] = [{"size": 4, "used": 1.0, "perplexity": 4.0, "entropy": 2.0}]
    systems["a@1"]["performance"] = dict.fromkeys(("encode_x_one", "decode_x_one", "encode_x_all", "decode_x_all", "load"), 100.0)
    systems["b"]["performance"] = {"error": "b: out of order"}
    columns = [*RATE_COLUMNS, Column("pesq_wb", "PESQ-WB", 1, 3)]
    return Results(dict(ABOUT), columns, {"pesq": dict(MADE)}, systems, entries, [], {"c-1": "the peer program c is not installed"})


def test_files_give_the_results_back(tmp_path: Path) -> None:
    before = results()
    before.entries[0].refusals["stoi"] = "STOI cannot score this clip"
    before.save(tmp_path / "results.json")
    again = Results.load(tmp_path / "results.json")
    assert (again.entries, again.systems, again.columns, again.missing) == (before.entries, before.systems, before.columns, before.missing)
    kept = json.loads((tmp_path / "results.json").read_text())
    pesq = next(s for s in kept["summary"] if (s["system"], s["column"]) == ("a@2", "pesq_wb"))
    assert pesq["mean"] == pytest.approx(np.mean([e.values["pesq_wb"] for e in before.entries if e.system == "a@2"]))
    assert (pesq["count"], pesq["of"]) == (CLIPS, CLIPS) and pesq["clips"][0] < pesq["mean"] < pesq["clips"][1]
    before.save_lines(tmp_path / "clips.jsonl")
    before.save_parquet(tmp_path / "clips.parquet")
    lines = [json.loads(line) for line in (tmp_path / "clips.jsonl").read_text().splitlines()]
    table = parquet.read_table(tmp_path / "clips.parquet").to_pylist()
    assert table == lines and len(lines) == 4 * CLIPS and "STOI cannot" in lines[0]["refusals"]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 99}', "not json", '{"format": 1, "about": 1, "columns": [{}]}'])
def test_files_that_are_no_results_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(WavelexError, match=r"x.json: (not the results of a benchmark|results of format 99)"):
        Results.load(tmp_path / "x.json")
    with pytest.raises(WavelexError, match="no such file"):
        Results.load(tmp_path / "none.json")


def test_the_gate_lets_the_same_and_the_better_pass() -> None:
    for now in (results(), results(a2=0.3), results(seed=6)):
        verdict = judge(now, results())
        assert not verdict.worse and not verdict.incomparable and verdict.compared > 8


def test_the_rounding_of_another_machine_is_not_a_regression() -> None:
    assert not judge(results(a2=-0.004), results()).worse
    assert judge(results(a2=-0.02), results()).worse


def test_the_gate_stops_what_is_worse_and_names_it() -> None:
    verdict = judge(results(a2=-0.1), results())
    assert len(verdict.worse) == 1 and re.search(r"a@2 \(speech, clean\): PESQ-WB -0\.1\d*", verdict.worse[0])


def test_the_gate_notices_clips_that_can_no_longer_be_scored() -> None:
    now = results()
    now.entries[CLIPS + 3].values.pop("pesq_wb")
    assert any("PESQ-WB of 1 clips is no longer there, first clip03.wav" in text for text in judge(now, results()).worse)
    gone = results()
    failed = gone.entries.pop(CLIPS + 4)
    place = {"recording": failed.recording, "kind": "speech", "condition": "clean", "system": failed.system, "metric": "", "reason": "died"}
    gone.failures.append(place)
    assert any("first clip04.wav" in text for text in judge(gone, results()).worse)


def test_the_gate_stops_a_system_that_fails_on_every_clip() -> None:
    gone = results()
    gone.entries = [entry for entry in gone.entries if entry.system != "a@2"]
    for clip in range(CLIPS):
        place = {"recording": f"clip{clip:02}.wav", "kind": "speech", "condition": "clean", "system": "a@2", "metric": ""}
        gone.failures.append({**place, "reason": "died"})
    assert any("a@2 (speech, clean): PESQ-WB of 30 clips is no longer there" in text for text in judge(gone, results()).worse)


def test_other_recordings_under_the_same_names_are_not_compared() -> None:
    other = results(a2=-1)
    other.entries = [replace(entry, content=entry.content + "x") for entry in other.entries]
    verdict = judge(other, results())
    assert not verdict.worse and not verdict.compared and "30 recordings with other content than earlier" in verdict.incomparable[0]


def test_a_smaller_set_of_recordings_is_not_a_regression() -> None:
    now = results()
    now.entries = [entry for entry in now.entries if entry.recording < "clip15"]
    assert not judge(now, results()).worse


def test_the_gate_says_what_it_cannot_compare() -> None:
    now = results(a2=-1)
    now.metrics["pesq"]["version"] = "revision 2"
    verdict = judge(now, results())
    assert not verdict.worse and "measured with revision 2, earlier with revision 1" in verdict.incomparable[0]
    other = results()
    other.entries = [replace(e, system="new") if e.system == "b" else e for e in other.entries]
    assert any("new (speech, clean): not in the earlier results" in text for text in judge(other, results()).incomparable)


def test_comparisons_are_of_the_first_family_with_the_rest() -> None:
    made = results()
    assert families(made) == (["a@1", "a@2"], ["b"])
    found = {c.ours: c for c in compare_all(made, "speech", "clean")}
    assert (found["a@1"].verdict, found["a@2"].verdict) == ("worse", "better")
    assert found["a@2"].gain == pytest.approx(0.5, abs=0.1) and found["a@2"].found.certainty > 0.99


def gallery(made: Results) -> Gallery:
    items = [
        Item(Recording(Path(e.recording), e.recording, text='say "hi" <b>'), "0" * 64, Condition("clean")) for e in made.entries[:CLIPS]
    ]
    chosen = choose_exhibits(made, items)
    return Gallery(chosen, {(item, name): Exhibit("AAAA", "BBBB") for shown in chosen.values() for item in shown for name in made.systems})


def test_the_worst_clips_are_shown() -> None:
    made = results()
    chosen = gallery(made).chosen
    worst = next(iter(chosen.values()))
    ours = [entry for entry in made.entries if entry.system in ("a@1", "a@2")]
    means = {e.recording: np.mean([o.values["pesq_wb"] for o in ours if o.recording == e.recording]) for e in ours}
    assert [item.recording.name for item in worst] == sorted(means, key=lambda name: means[name])[:10]
    assert [len(items) for items in chosen.values()] == [10, 4]


class Checker(HTMLParser):
    """Every element closed in order; what was linked to and what bears an id."""

    VOID = ("meta", "img", "br", "path", "use", "rect", "hr", "stop")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.sources: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if values.get("href", "").startswith("#") and tag == "a":  # type: ignore[union-attr]
            self.links.add(str(values["href"])[1:])
        if values.get("id"):
            self.ids.add(str(values["id"]))
        self.sources += [str(values[name]) for name in ("src", "href", "xlink:href") if values.get(name)]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    made = results()
    made.entries[5].refusals["stoi"] = "STOI cannot score this clip: <too short>"
    made.failures.append(
        {"recording": "clip01.wav", "kind": "speech", "condition": "clean", "system": "b", "metric": "", "reason": "b & died"}
    )
    text = page(made, gallery(made))
    checker = Checker()
    checker.feed(text)
    assert not checker.open and checker.links <= checker.ids
    assert all(source.startswith(("data:", "#")) for source in checker.sources) and "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", text))
    assert checker.counts["audio"] == 14 * 4 and checker.counts["svg"] == len(rate_curves(made, "speech", "clean")) == 1
    escaped = ("&lt;too short&gt;", "b &amp; died", "wavelex bench &lt;set&gt;", "&lt;1&gt;", "&quot;hi&quot; &lt;b&gt;")
    for shown in (*escaped, "the peer program c is not installed"):
        assert shown in text
    assert text.count("29 of 30") == 2


def test_names_are_text_and_not_tags_in_both_pages() -> None:
    evil = "<script>alert(1)</script>\n# [x](y) `a` |"
    made = results()
    made.entries = [replace(e, recording=f"{evil}{e.recording}", kind=evil, speaker=evil) for e in made.entries]
    made.entries[3].refusals["stoi"] = evil
    made.entries = [replace(e, system=evil) if e.system == "a@2" else e for e in made.entries]
    made.systems = {evil if name == "a@2" else name: described for name, described in made.systems.items()}
    made.systems[evil] |= {"family": evil, "about": {evil: evil}, "codebooks": made.systems["a@1"]["codebooks"]}
    made.systems[evil]["performance"] = {"error": evil}
    made.systems["b"]["family"] = evil + "b"
    made.metrics["pesq"]["settings"] = made.metrics["pesq"]["version"] = evil
    made.about |= {"command": f"wavelex bench {evil}", "machine": evil}
    made.missing[evil] = evil
    made.failures.append(
        {"recording": evil, "kind": evil, "condition": "clean", "system": evil, "metric": evil, "reason": evil},
    )
    text, whole = markdown(made), page(made, gallery(made))
    assert "<script>alert" not in whole
    # Only the command holds the tag: it stands indented, on one line, which is shown as it is.
    lines = text.splitlines()
    assert [line for line in lines if "<script>" in line] == ["    wavelex bench <script>alert(1)</script> # [x](y) `a` |"]
    told = [line for line in lines if "alert" in line and not line.startswith("    ")]
    assert len(told) > 8 and not any(re.search(r"(?<!\\)[`\[]", line) for line in told)
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    rows = [place for place, line in enumerate(lines) if line.startswith("|") and lines[place - 1].startswith("|")]
    assert rows and all(cells[place] == cells[place - 1] for place in rows)


def test_the_markdown_says_where_it_loses() -> None:
    text = markdown(results())
    assert "**a@1** (1.00 kbit/s) is significantly worse (95%, paired) than\n\n- at more bits: b (1.50 kbit/s): PESQ-WB -0." in text
    assert "**a@2** (2.00 kbit/s) is significantly worse (95%, paired) than\n\n- none of the others in any figure" in text
    assert "c-1: the peer program c is not installed" in text and "    wavelex bench <set>" in text
    rows = [line for line in text.splitlines() if line.startswith("| a@2 |")]
    assert re.match(r"\| a@2 \| 2\.00 \| 2\.10 \| - \| 0\.0 \| \d\.\d{3} ±0\.\d{3} \| 30 of 30 \|", rows[0])


def test_codebook_use_is_entropy() -> None:
    codes = np.stack([np.arange(800) % 8, np.zeros(800, np.int64)])
    even, dead = codebook_use(codes, (16, 16))
    assert (even["used"], even["perplexity"], even["entropy"]) == pytest.approx((0.5, 8, 3))
    assert (dead["used"], dead["perplexity"], dead["entropy"]) == pytest.approx((1 / 16, 1, 0))


def test_codebooks_count_where_frames_have_them_and_may_be_of_any_size() -> None:
    codes = np.stack([np.arange(800) % 8, np.where(np.arange(800) % 4, -1, 70_000 * (np.arange(800) % 8)), np.full(800, -1)])
    first, second, unused = codebook_use(codes, (16, 1 << 20, 16))
    assert (first["used"], first["perplexity"]) == pytest.approx((0.5, 8))
    assert (second["used"], second["perplexity"], second["entropy"]) == pytest.approx((2 / (1 << 20), 2, 1))
    assert (unused["used"], unused["perplexity"], unused["entropy"]) == (0, 1, 0)


def test_one_name_cannot_mean_two_systems() -> None:
    def system(weights: str) -> Own:
        return Own("m", 1, "m", {"weights": weights}, 0.08, (4,), 50.0)

    assert len(distinct([system("1"), system("1"), Original()])) == 2
    with pytest.raises(WavelexError, match="two systems are called m@1"):
        distinct([system("1"), system("2")])
    with pytest.raises(WavelexError, match="nothing to measure"):
        distinct([])


def test_exhibits_are_opus_and_webp() -> None:
    import base64

    from wavelex.metrics.base import Pair

    sound = voice(9)
    made = EXHIBIT.measure(Pair(Recording(Path(), "x"), sound, sound, sound))
    assert base64.b64decode(made["sound"])[:4] == b"OggS" and len(made["sound"]) < 90_000
    assert base64.b64decode(made["picture"])[8:12] == b"WEBP"
    assert EXHIBIT.measure(Pair(Recording(Path(), "x"), sound[:100], sound[:100], sound[:100]))["picture"]
