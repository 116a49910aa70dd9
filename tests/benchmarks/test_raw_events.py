"""A table of the contention benchmark, computed anew from its raw events by code of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contention.arena import Scene
from benchmarks.contention.findings import GOAL, ONE
from benchmarks.contention.sweep import Part, Sweep, run
from benchmarks.results import number, share

RUNS = 10

SCENES = tuple(
    Scene(policy=policy, proposers=proposers, loss=loss)
    for policy in ("none", "exponential", "ranked")
    for proposers in (2, 5)
    for loss in (0.0, 0.2)
)

Event = dict[str, Any]


def runs(events: list[Event], title: str) -> Iterator[list[Event]]:
    """Yield each run's events, of one part."""
    part = ""
    found: list[list[Event]] = []
    for event in events:
        if event["event"] == "part":
            part = event["title"]
        elif part == title:
            if event["event"] == "run":
                found.append([])
            found[-1].append(event)
    yield from found


def least(values: Sequence[float], enough: float) -> float:
    """Return the least value that this share of all values does not exceed."""
    return min(x for x in values if sum(y <= x for y in values) >= enough * len(values))


def cells(found: list[list[Event]]) -> tuple[str, ...]:
    """Return a row of the table, from "rounds" on."""
    columns: list[list[float]] = [[] for _ in range(6)]
    rounds, busiest, hops, units, messages, octets = columns
    undecided = 0
    for events in found:
        ballots = [event["node"] for event in events if event["event"] == "ballot"]
        sends = [event for event in events if event["event"] == "send"]
        decided = [event for event in events if event["event"] == "decided"]
        undecided += not decided
        rounds.append(len(ballots))
        busiest.append(max(map(ballots.count, ballots)))
        if decided:
            hops.append(decided[0]["hops"])
        units.append(decided[0]["units"] if decided else 10_000.0)
        messages.append(len(sends))
        octets.append(sum(send["octets"] for send in sends))
    count = len(found)
    return (
        number(sum(rounds) / count),
        *(number(least(rounds, enough)) for enough in (0.5, 0.9, 0.99, 1)),
        number(sum(busiest) / count),
        number(least(hops, 0.5)) if len(hops) == count else "",
        *(number(least(units, enough)) for enough in (0.5, 0.9, 0.99)),
        number(sum(messages) / count),
        number(sum(octets) / count),
        share(undecided / count),
    )


def test_table_can_be_computed_from_the_raw_events(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    goal = Part(GOAL, "proposers", 2, (Scene(policy="none", proposers=1), Scene()))
    sweep = Sweep(3, (goal, Part(ONE, "proposers", RUNS, SCENES)), path)
    tables = run(sweep, lambda done, doing: None).tables()
    (table,) = (table for table in tables if table.title.startswith(ONE))
    events = [json.loads(line) for line in path.read_text().splitlines()]
    at = table.columns.index("rounds")
    hops = table.columns.index("hops") - at
    by_scene: dict[tuple[Any, ...], list[list[Event]]] = {}
    for found in runs(events, ONE):
        scene = (found[0]["policy"], found[0]["proposers"], found[0]["loss"])
        by_scene.setdefault(scene, []).append(found)
    assert len(table.rows) == len(by_scene) == len(SCENES)
    for row, (scene, mine) in zip(table.rows, by_scene.items(), strict=True):
        computed = cells(mine)
        assert row[:3] == (scene[0], str(scene[1]), share(scene[2]))
        for column, (said, again) in enumerate(zip(row[at:], computed, strict=True)):
            if column != hops or again:  # what led to no decision has no hops
                assert said == again, (scene, table.columns[at + column])
