"""The suspicion benchmark: nobody is harmed, so every change of leader is one too many."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import field, frozen

from benchmarks.failover.drill import SETTLING, Drill
from benchmarks.failover.participant import Diary, Drive
from benchmarks.places import MEMORY, folder, place
from benchmarks.results import Output, Table, number
from benchmarks.suite import Size, Tell

LOOK = 1.0
"""Seconds between two looks at what the nodes have seen."""


@frozen
class Scene:
    """What goes on meanwhile."""

    inflight: int = 0
    """Commands in flight at the leader."""
    busy: int = 0
    """Processes beside the nodes that only take processor time."""


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    seconds: float
    """Of each scene."""
    scenes: tuple[Scene, ...] = (Scene(), Scene(256), Scene(0, 4), Scene(64, 4))
    nodes: int = 3
    where: str = MEMORY


@frozen
class Quiet:
    """A time in which nobody was harmed."""

    scene: Scene
    seconds: float
    changes: int
    """How often the leader changed."""
    suspicions: int
    """How often a follower suspected its leader; all of them are wrong."""
    answered: int
    """Commands."""
    late: float
    """By how much a node's timer was late, at most, in seconds: its loop, its process or the
    machine stood still for so long."""
    moments: tuple[float, ...] = field(default=())
    """When the leader changed, in seconds since the beginning."""


@frozen
class Suspicion(Output):
    """The benchmark's output."""

    place: str
    nodes: int
    quiet: tuple[Quiet, ...]

    def tables(self) -> tuple[Table, ...]:
        """Return one table."""
        return (
            Table(
                f"Nobody harmed: all suspicions are wrong; {self.nodes} nodes, "
                f"journals on {self.place}",
                (
                    *("in flight", "busy beside", "seconds", "changes of leader", "suspicions"),
                    *("commands", "latest timer ms"),
                ),
                tuple(
                    (
                        *map(str, (q.scene.inflight, q.scene.busy, round(q.seconds))),
                        *(str(q.changes), str(q.suspicions), f"{q.answered:,}"),
                        number(1e3 * q.late),
                    )
                    for q in self.quiet
                ),
                "latest timer: for how long a node's loop, its process or all of the machine stood "
                "still, at most. A change needs a quorum that misses the leader; a suspicion is "
                "one node's.",
            ),
        )


def usual(size: Size, seed: int) -> Given:
    """Return the usual input."""
    return Given(seed, {Size.QUICK: 2.0, Size.USUAL: 15.0, Size.LONG: 3600.0}[size])


def run(given: Given, tell: Tell) -> Suspicion:
    """Let a cluster alone, again and again with something else going on."""
    quiet: list[Quiet] = []
    with folder(given.where) as data:
        for number_of_scene, scene in enumerate(given.scenes):
            done = number_of_scene / len(given.scenes)
            tell(done, f"{scene.inflight} in flight, {scene.busy} busy, {given.seconds:g} s")
            where = data / str(number_of_scene)
            with Drill(given.nodes, where) as drill, _busy(scene.busy):
                quiet.append(_watch(drill, scene, given.seconds))
        at = place(data)
    return Suspicion(at, given.nodes, tuple(quiet))


def _watch(drill: Drill, scene: Scene, seconds: float) -> Quiet:
    """Look at a cluster regularly, since what its members note must not grow."""
    leader = drill.await_leader()
    if scene.inflight:
        drill.participant(leader.leader).ask(Drive(scene.inflight))
    time.sleep(max(SETTLING))
    first = drill.await_leader().epoch
    began = time.monotonic()
    diaries: list[Diary] = []
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(LOOK, left))
        diaries += drill.look()
    changes: dict[int, float] = {}
    for diary in diaries:
        for at, led in diary.leaderships:
            if led is not None and led.epoch > first:
                changes[led.epoch] = min(at - began, changes.get(led.epoch, at - began))
    return Quiet(
        scene,
        time.monotonic() - began,
        len(changes),
        sum(diary.suspicions for diary in diaries),
        sum(diary.answered for diary in diaries),
        max(diary.late for diary in diaries),
        tuple(sorted(changes.values())),
    )


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Have so many processes do nothing but take processor time."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _spin() -> None:
    while True:
        pass
