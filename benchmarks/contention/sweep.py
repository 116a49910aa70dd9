"""The contention benchmark: many runs of many scenes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from benchmarks.contention.arena import Arena, Scene
from benchmarks.contention.findings import GOAL, ONE, Contention, Row
from benchmarks.contention.links import DELAYS
from benchmarks.contention.policies import NAMES
from benchmarks.suite import Size, Tell

DUELS: Final = 10
"""How often, at most, a scene without a policy is run: all of its duels are long, and alike."""


@frozen
class Part:
    """Scenes that belong into one table; ``axis`` is the field of `Scene` along a figure's x."""

    title: str
    axis: str
    runs: int
    scenes: tuple[Scene, ...]


@frozen
class Sweep:
    """The benchmark's input."""

    seed: int
    parts: tuple[Part, ...]
    events: Path | None = None
    """Where to write every event of every run as a line of JSON."""


def run(sweep: Sweep, tell: Tell) -> Contention:
    """Run every scene of every part; equal inputs give equal outputs, to the byte."""
    total = sum(_runs(part, scene) for part in sweep.parts for scene in part.scenes)
    done = 0
    parts: list[tuple[str, str, tuple[Row, ...]]] = []
    with nullcontext() if sweep.events is None else sweep.events.open("w") as log:
        for part in sweep.parts:
            if log is not None:
                log.write(json.dumps({"event": "part", "title": part.title}) + "\n")
            rows: list[Row] = []
            for scene in part.scenes:
                tell(done / total, f"{part.title}: {scene.policy}, {scene.proposers} proposers")
                # The same seeds for every scene: what differs is the scene alone.
                first, count = 1_000_000 * sweep.seed, _runs(part, scene)
                seeds = range(first, first + count)
                rows.append(Row.of(scene, [Arena(scene, seed, log).run() for seed in seeds]))
                done += count
            parts.append((part.title, part.axis, tuple(rows)))
    return Contention(tuple(parts))


def _runs(part: Part, scene: Scene) -> int:
    duels = scene.policy == "none" and scene.proposers > 1
    return min(part.runs, DUELS) if duels else part.runs


def usual(size: Size, seed: int) -> Sweep:
    """Return the usual input."""
    quick = size is Size.QUICK
    counts = (2, 8, 32) if quick else (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
    losses = (0.0, 0.05) if quick else (0.0, 0.01, 0.05, 0.2)
    judged, runs, few = {
        Size.QUICK: (20, 8, 2),
        Size.USUAL: (80, 40, 6),  # 80 for each of 32 numbers of proposers and 4 losses: 10,240
        Size.LONG: (320, 400, 80),
    }[size]
    base = Scene()
    return Sweep(
        seed,
        (
            Part(GOAL, "proposers", judged, tuple(_goal(size))),
            Part(
                ONE,
                "proposers",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=count, loss=loss)
                    for policy, loss, count in product(NAMES, losses, counts)
                ),
            ),
            Part(
                "acceptors",
                "acceptors",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=8, acceptors=voters, loss=0.05)
                    for policy, voters in product(NAMES, (3, 9) if quick else (3, 5, 7, 9))
                ),
            ),
            Part(
                "start spread",
                "spread",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=8, spread=spread)
                    for policy, spread in product(NAMES, (0, 8) if quick else (0, 1, 2, 4, 8, 16))
                ),
            ),
            Part(
                "delay",
                "delay",
                runs,
                tuple(
                    evolve(base, policy=policy, proposers=8, delay=delay)
                    for delay, policy in product(DELAYS, NAMES)
                ),
            ),
            Part("many decrees", "proposers", few, tuple(_others("many", quick))),
            Part("leader lost", "proposers", runs, tuple(_others("loss", quick))),
        ),
    )


def _goal(size: Size) -> Iterator[Scene]:
    """Yield a lone proposer, the yardstick, and then ours with every number of proposers."""
    counts = (1, 3, 32) if size is Size.QUICK else range(1, 33)
    acceptors = (3, 5, 7, 9) if size is Size.LONG else (3,)
    losses = (0.0, 0.05) if size is Size.QUICK else (0.0, 0.01, 0.05, 0.2)
    for voters, loss in product(acceptors, losses):
        yield Scene(policy="none", proposers=1, acceptors=voters, loss=loss)
        for count in counts:
            yield Scene(proposers=count, acceptors=voters, loss=loss)


def _others(kind: str, quick: bool) -> Iterator[Scene]:
    counts = (3, 9) if quick else (3, 5, 9, 17, 32)
    for policy, loss, count in product(NAMES, (0.0, 0.05), counts):
        yield Scene(kind, policy, count, min(count, 9) | 1, loss)
