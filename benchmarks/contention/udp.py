"""Contention between real processes over UDP: the same nodes, on real clocks and a real network."""

from __future__ import annotations

from itertools import product

from attrs import evolve, frozen

from benchmarks.contention.arena import Arena, Scene
from benchmarks.contention.crowd import LIMIT, Crowd
from benchmarks.contention.policies import NAMES
from benchmarks.contention.station import names
from benchmarks.contention.udp_findings import Contention, Row
from benchmarks.results import Spread
from benchmarks.suite import Size, Tell


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    runs: int
    scenes: tuple[Scene, ...]


def usual(size: Size, seed: int) -> Given:
    """Return the usual input."""
    quick = size is Size.QUICK
    counts = (1, 5) if quick else (1, 2, 3, 5, 9)
    scenes = tuple(
        Scene(policy=policy, proposers=count, loss=loss)
        for policy, loss, count in product(NAMES, (0.0, 0.05), counts)
        if not quick or policy in ("none", "exponential", "ranked")
    )
    return Given(seed, {Size.QUICK: 3, Size.USUAL: 12, Size.LONG: 200}[size], scenes)


def run(given: Given, tell: Tell) -> Contention:
    """Run every scene, each so many times, on the same processes."""
    nodes = names(max(max(s.proposers, s.acceptors) for s in given.scenes))
    rows: list[Row] = []
    with Crowd(nodes) as crowd:
        for scene in given.scenes:
            tell(len(rows) / len(given.scenes), f"{scene.policy}, {scene.proposers} proposers")
            runs = [crowd.run(scene, given.seed + turn) for turn in range(given.runs)]
            virtual = evolve(scene, delay="jittered")  # as real ones are
            simulated = (Arena(virtual, given.seed + turn).run() for turn in range(given.runs))
            rows.append(
                Row(
                    scene,
                    Spread.of(ballots for ballots, _, _ in runs),
                    Spread.of(one.ballots for one in simulated),
                    Spread.of(seconds for _, seconds, _ in runs),
                    Spread.of(messages for _, _, messages in runs),
                    sum(seconds >= LIMIT for _, seconds, _ in runs),
                )
            )
    return Contention(tuple(rows))
