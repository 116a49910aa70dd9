"""The failover benchmark: whoever leads is killed, paused, cut off or stopped, many times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import Final, TypeVar

from attrs import frozen

from benchmarks.failover.drill import FAULTS, Drill, HolderLoss, Loss, Troubled, timing
from benchmarks.places import MEMORY, folder, place
from benchmarks.results import Output, Spread, Table, number
from benchmarks.suite import Size, Tell

MOST_TROUBLES: Final = 3
"""When so many clusters have had to be given up at one fault, the rest of its runs is left out."""


T = TypeVar("T")


@frozen
class Goal:
    """How soon the first command must be answered, in seconds after the fault."""

    median: float
    tail: float
    """At the 99th percentile."""

    def met(self, first: Spread) -> bool:
        """Tell whether a distribution is as good."""
        return first.p50 <= self.median and first.p99 <= self.tail

    def __str__(self) -> str:
        tail = "" if self.tail == inf else f", {1e3 * self.tail:g}"
        return f"{1e3 * self.median:g}{tail}"


GOALS: Final = {"kill -9": Goal(0.035, 0.150), "SIGSTOP": Goal(0.250, inf), "cut": Goal(0.250, inf)}


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    runs: int
    """Of each fault."""
    nodes: int = 3
    faults: tuple[str, ...] = tuple(FAULTS)
    leases: tuple[float, ...] = (0.1, 1.0)
    """In seconds, for elections whose holder is killed; other patience is a part of it."""
    where: str = MEMORY


@frozen
class Trouble:
    """A cluster that was given up in a run, and why."""

    fault: str
    why: str


@frozen
class Failover(Output):
    """The benchmark's output."""

    place: str
    nodes: int
    losses: tuple[Loss, ...]
    holders: tuple[HolderLoss, ...]
    troubles: tuple[Trouble, ...]

    def spread(self, fault: str, what: str) -> Spread:
        """Return the distribution of one kind of time after one fault, in seconds."""
        return Spread.of(getattr(loss, what) for loss in self.losses if loss.fault == fault)

    def tables(self) -> tuple[Table, ...]:
        """Return times by fault."""
        faults = dict.fromkeys(loss.fault for loss in self.losses)
        columns = (
            *("fault", "runs", "command p50", "p90", "p99", "most", "leader p50", "p99"),
            *("gap p50", "p99", "most", "goal", "met", "by itself"),
        )
        losses = Table(
            f"A leader lost, {self.nodes} nodes, journals on {self.place}; milliseconds",
            columns,
            tuple(self._row(fault) for fault in faults),
            "command: until the first command is answered under the new leader; gap: the longest "
            "that a surviving node's client waits between two answers; goal: median and p99 of the "
            "first; by itself: how often the leader changed while all was well, whereupon the run "
            "was done anew. A refused probe helps when a process dies on a machine that lives.",
        )
        troubles = Table(
            "Clusters given up",
            ("fault", "why"),
            tuple((trouble.fault, trouble.why) for trouble in self.troubles),
        )
        return tuple(table for table in (losses, self._holder_table(), troubles) if table.rows)

    def _row(self, fault: str) -> tuple[str, ...]:
        first, goal = self.spread(fault, "command"), GOALS.get(fault)
        led, gap = self.spread(fault, "leadership"), self.spread(fault, "gap")
        times = (
            *(first.p50, first.p90, first.p99, first.most),
            *(led.p50, led.p99),
            *(gap.p50, gap.p99, gap.most),
        )
        judged = ("", "") if goal is None else (str(goal), "yes" if goal.met(first) else "NO")
        by_itself = sum(loss.by_itself for loss in self.losses if loss.fault == fault)
        cells = (number(1e3 * time) for time in times)
        return (fault, str(first.count), *cells, *judged, str(by_itself))

    def _holder_table(self) -> Table:
        def cells(lease: float) -> tuple[str, ...]:
            losses = [loss for loss in self.holders if loss.lease == lease]
            next_ = Spread.of(loss.next for loss in losses)
            times = (next_.p50, next_.p90, next_.p99, next_.most)
            led = sum(loss.led for loss in losses)
            return (
                *(number(1e3 * lease), str(len(losses)), str(led)),
                *(number(1e3 * time) for time in times),
                str(sum(loss.by_itself for loss in losses)),
            )

        return Table(
            "The holder of an election killed: milliseconds until the next one holds it",
            ("lease ms", "kills", "led the log", "p50", "p90", "p99", "most", "by itself"),
            tuple(cells(lease) for lease in dict.fromkeys(loss.lease for loss in self.holders)),
            "A lease must end before the next term begins, whatever hints there are. By itself: "
            "how often a holder lost the election while all was well.",
        )


def usual(size: Size, seed: int) -> Given:
    """Return the usual input."""
    return Given(seed, runs={Size.QUICK: 2, Size.USUAL: 25, Size.LONG: 300}[size])


def run(given: Given, tell: Tell) -> Failover:
    """Harm the leader again and again."""
    losses: list[Loss] = []
    holders: list[HolderLoss] = []
    troubles: list[Trouble] = []
    total = given.runs * (len(given.faults) + len(given.leases))

    def told(what: str) -> None:
        tell((len(losses) + len(holders)) / total, what)

    with folder(given.where) as data:
        for fault in given.faults:
            for loss in _runs(given, data, fault, partial(_lose_leader, fault), troubles):
                losses.append(loss)
                told(f"{fault}, {len(losses)} leaders lost")
        for lease in given.leases:
            what = f"holder, lease {lease:g} s"
            for lost in _runs(given, data, what, partial(_lose_holder, lease), troubles, lease):
                holders.append(lost)
                told(f"{what}, {len(holders)} holders lost")
        at = place(data)
    return Failover(at, given.nodes, tuple(losses), tuple(holders), tuple(troubles))


def _runs(
    given: Given,
    data: Path,
    what: str,
    harm: Callable[[Drill], T],
    troubles: list[Trouble],
    lease: float | None = None,
) -> Iterator[T]:
    """Yield what came of each run; a cluster that is not well again in time is replaced."""
    done = 0
    for attempt in range(MOST_TROUBLES):
        where, patience = data / f"{what} {attempt}", None if lease is None else timing(lease)
        try:
            with Drill(given.nodes, where, patience, given.seed + attempt) as drill:
                while done < given.runs:
                    yield harm(drill)
                    done += 1
            return
        except Troubled as error:
            troubles.append(Trouble(what, str(error)))


def _lose_leader(fault: str, drill: Drill) -> Loss:
    if not drill.load:
        drill.drive(1)
    return drill.lose_leader(fault)


def _lose_holder(lease: float, drill: Drill) -> HolderLoss:
    return drill.lose_holder(lease)
