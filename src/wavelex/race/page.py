"""The page of a race: every rate, every ablation, what training took, and what was not measured."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from wavelex.errors import WavelexError
from wavelex.race.blocks import Block, Cell, plain
from wavelex.race.comparisons import ablation_blocks, codes_block, rate_block, shown_columns
from wavelex.race.entrants import DESIGN_GROUP, Entrant
from wavelex.race.laps import Standing
from wavelex.race.rules import DISTANCES, WITHOUT_CODES, hours_heard
from wavelex.race.score import Scores

TITLE = "Codec designs trained alike"


def blocks(standings: Sequence[Standing], scores: Scores | None, recordings_hours: float) -> list[Block]:
    """The page as headings, paragraphs and tables; without `scores` what is known of the training alone."""
    made = [_head(standings, scores, recordings_hours)]
    if scores:
        columns = shown_columns(scores.results)
        for kind in scores.results.kinds:
            title = "" if len(scores.results.kinds) == 1 else f" ({kind})"
            made += [rate_block(scores, kind, columns, rate, title) for rate in sorted({way.rate for way in scores.ways.values()})]
            for group in _groups(standings):
                made += ablation_blocks(scores, kind, columns, group, title)
        made.append(codes_block(scores))
    return [*made, _training(standings, scores), *_unmeasured(scores)]


def _groups(standings: Sequence[Standing]) -> list[str]:
    return list(dict.fromkeys(standing.entrant.group for standing in standings if standing.entrant.group != DESIGN_GROUP))


def _head(standings: Sequence[Standing], scores: Scores | None, recordings_hours: float) -> Block:
    settings = standings[0].settings
    hours = hours_heard(settings, settings.steps)
    weights = ", ".join(f"{name} {weight:g}" for name, weight in DISTANCES.items())
    paragraphs = [
        f"{len(standings)} codecs, each with the arguments of its small preset at 16 kHz, were trained on the same "
        f"{recordings_hours:.2f} hours of recordings, each with the same batches of {settings.batch} clips of "
        f"{settings.segment_seconds:g} s, until it had heard {hours:g} hours ({settings.steps} steps). All of them minimise the same "
        f"terms ({weights}; commitment 1 once codes are used, after {WITHOUT_CODES:.0%} of the steps), with the same optimizer and "
        "learning rate, whatever their papers say; there are no discriminators.",
        "Equal small compute is not the published result. The published models are up to a hundred times as large, heard thousands of "
        "times as much and mostly learned from discriminators. These tables say which structure learns most from little, and nothing "
        "about the codecs that the papers describe.",
    ]
    if behind := sum(not standing.finished for standing in standings):
        paragraphs.append(f"{behind} of them have not heard all yet; how far they are stands under Training and speed.")
    if scores:
        about = scores.results.about
        paragraphs += [
            f"Figures are of {about['recordings']} recordings ({about['seconds'] / 60:.1f} minutes, {about['speakers']} named speakers; "
            f"content {about['data_hash']}). ± is half of the 95% bootstrap interval, the wider of that over clips and that over "
            "speakers. Codes are the nearest ones, without search. A codec is listed under each rate with as many codebooks as stay "
            "below it, once; its nominal rate and the rate of the bits as written, with the heads of blocks, stand beside each other.",
            f"Written {about['date']} by: {about['command']}",
        ]
    return Block("", paragraphs)


def _training(standings: Sequence[Standing], scores: Scores | None) -> Block:
    heads = [
        "codec",
        "million parameters",
        "hours heard",
        "CPU minutes",
        "CPU s per s heard",
        "look-ahead, ms",
        "streams",
        "coding speed",
        "state",
    ]
    rows = []
    for standing in standings:
        progress, hours = standing.progress, standing.hours
        speed = scores.speeds.get(standing.entrant.name) if scores else None
        rows.append(
            [
                Cell(standing.entrant.name),
                *(size := _sizes(standing.entrant))[:1],
                plain(hours, 3),
                plain(progress.cpu_seconds / 60, 1),
                plain(progress.cpu_seconds / (3600 * hours) if hours else None, 2),
                *size[1:],
                plain(speed, 1),
                Cell(_state(standing)),
            ]
        )
    told = (
        "Parameters are those that gradients train; codebooks of running means are not among them. CPU time is that of the training "
        "steps, whatever else the machine did. Coding speed counts times real time for encoding and decoding 10 s, by CPU time."
    )
    return Block("Training and speed", [told], heads, rows)


def _sizes(entrant: Entrant) -> list[Cell]:
    """Parameters, look-ahead, and whether it streams."""
    try:
        with torch.device("meta"):
            model = entrant.build()
    except WavelexError:
        return [Cell("-")] * 3
    ahead = plain(1000 * model.lookahead / model.sample_rate, 0) if model.streams else Cell("whole signal")
    return [plain(sum(p.numel() for p in model.parameters()) / 1e6, 2), ahead, Cell("yes" if model.streams else "no")]


def _state(standing: Standing) -> str:
    if standing.failure:
        return f"failed: {standing.failure}"
    skipped = f", {standing.progress.skipped} steps skipped" if standing.progress.skipped else ""
    if standing.finished:
        return f"finished{skipped}"
    return f"{standing.progress.step / standing.settings.steps:.0%}{skipped}" if standing.progress.step else "not begun"


def _unmeasured(scores: Scores | None) -> list[Block]:
    if not scores:
        return []
    results = scores.results
    told = [f"{name}: {why}" for name, why in scores.failures.items()]
    told += [f"{f['system']}, {f['recording']}: {f['reason']}" for f in results.failures]
    refused = {f"{entry.recording}: {reason}" for entry in results.entries for reason in entry.refusals.values()}
    return [Block("Not measured", [*told, *sorted(refused)])] if told or refused else []
