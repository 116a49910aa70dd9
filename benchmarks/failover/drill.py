"""The failover benchmark: whoever leads is killed, paused, cut off or stopped, many times."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

import paxos
from benchmarks.failover.participant import Cut, Diary, Drive, Participant, Stand, Stop
from benchmarks.places import folder, place
from benchmarks.results import Output, Spread, Table, number
from benchmarks.suite import Tell
from paxos.node.cluster import HEARTBEATS_BEFORE_SUSPICION, SUSPICIONS_IN_A_LEASE

SETTLING: Final = 0.7
"""Seconds between all being well and the next fault: clients propose meanwhile."""

LIMIT: Final = 15.0
"""Seconds within which a cluster must be well again."""


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

FAULTS: Final[dict[str, Callable[[Participant], None]]] = {
    "kill -9": lambda leader: leader.signal(signal.SIGKILL),
    "SIGSTOP": lambda leader: leader.signal(signal.SIGSTOP),
    "cut": lambda leader: leader.ask(Cut(True)),
    "clean stop": lambda leader: leader.ask(Stop()),
}


@frozen
class Given:
    """The benchmark's input."""

    seed: int
    runs: int
    quiet: float
    """For how many seconds nothing is done to the cluster, idle and under load."""
    nodes: int = 3
    faults: tuple[str, ...] = tuple(FAULTS)
    leases: tuple[float, ...] = (0.1, 1.0)
    """In seconds, for elections whose holder is killed; other patience is a part of it."""
    where: Path | None = None


@frozen
class Loss:
    """One loss of a leader; times in seconds after the fault."""

    fault: str
    leadership: float
    """Until another node saw itself, or a third, chosen as leader."""
    command: float
    """Until a command was answered under the new leadership."""
    gap: float
    """The longest time between two answers that a surviving client saw."""


@frozen
class Quiet:
    """A time in which nobody was harmed."""

    load: int
    """Commands in flight at the leader."""
    seconds: float
    suspicions: int
    """How often a follower suspected its leader; all of them are wrong."""
    changes: int
    """How often the leader changed."""
    answers: int


@frozen
class HolderLoss:
    """One death of the holder of an election (SIGKILL); times in seconds."""

    lease: float
    next: float
    """From the death until the next candidate holds it."""
    led: bool
    """Whether the holder led the log, too."""


@frozen
class Failover(Output):
    """The benchmark's output."""

    place: str
    nodes: int
    losses: tuple[Loss, ...]
    quiet: tuple[Quiet, ...]
    holders: tuple[HolderLoss, ...]

    def spread(self, fault: str, what: str) -> Spread:
        """Return the distribution of one kind of time after one fault, in seconds."""
        return Spread.of(getattr(loss, what) for loss in self.losses if loss.fault == fault)

    def tables(self) -> tuple[Table, ...]:
        """Return times by fault, and wrong suspicions."""
        faults = dict.fromkeys(loss.fault for loss in self.losses)
        rows = tuple(self._row(fault) for fault in faults)
        columns = (
            *("fault", "runs", "command p50", "p90", "p99", "most", "leader p50", "p99"),
            *("gap p50", "p99", "most", "goal", "met"),
        )
        losses = Table(
            f"A leader lost, {self.nodes} nodes, journals on {self.place}; milliseconds",
            columns,
            rows,
            "command: until the first command is answered under the new leader; gap: the longest "
            "that a surviving node's client waits between two answers. A refused probe helps when "
            "a process dies on a machine that lives.",
        )
        return (losses, self._holder_table(), self._quiet_table())

    def _row(self, fault: str) -> tuple[str, ...]:
        first, goal = self.spread(fault, "command"), GOALS.get(fault)
        led, gap = self.spread(fault, "leadership"), self.spread(fault, "gap")
        times = (
            *(first.p50, first.p90, first.p99, first.most),
            *(led.p50, led.p99),
            *(gap.p50, gap.p99, gap.most),
        )
        judged = ("", "") if goal is None else (str(goal), "yes" if goal.met(first) else "NO")
        return (fault, str(first.count), *(number(1e3 * time) for time in times), *judged)

    def _holder_table(self) -> Table:
        def cells(lease: float) -> tuple[str, ...]:
            losses = [loss for loss in self.holders if loss.lease == lease]
            next_ = Spread.of(loss.next for loss in losses)
            times = (next_.p50, next_.p90, next_.p99, next_.most)
            led = sum(loss.led for loss in losses)
            return (
                *(number(1e3 * lease), str(len(losses)), str(led)),
                *(number(1e3 * time) for time in times),
            )

        return Table(
            "The holder of an election killed: milliseconds until the next one holds it",
            ("lease ms", "kills", "led the log", "p50", "p90", "p99", "most"),
            tuple(cells(lease) for lease in dict.fromkeys(loss.lease for loss in self.holders)),
            "A lease must end before the next term begins, whatever hints there are.",
        )

    def _quiet_table(self) -> Table:
        return Table(
            "Nobody harmed: every suspicion is wrong",
            ("in flight", "seconds", "answers", "suspicions", "changes of leader"),
            tuple(
                tuple(map(str, (q.load, q.seconds, q.answers, q.suspicions, q.changes)))
                for q in self.quiet
            ),
        )


def usual(quick: bool, seed: int) -> Given:
    """Return the usual input."""
    return Given(seed, runs=2 if quick else 100, quiet=2.0 if quick else 600.0)


def run(given: Given, tell: Tell) -> Failover:
    """Harm the leader again and again."""
    losses: list[Loss] = []
    total = given.runs * len(given.faults)
    with folder(given.where) as data:
        for number_of_fault, fault in enumerate(given.faults):
            with Drill(given.nodes, data / str(number_of_fault)) as drill:
                drill.drive(1)
                for count in range(given.runs):
                    done = number_of_fault * given.runs + count
                    tell(0.8 * done / total, f"{fault}, {count + 1} of {given.runs}")
                    losses.append(drill.lose_leader(fault))
        holders: list[HolderLoss] = []
        for lease in given.leases:
            suspicion = lease / SUSPICIONS_IN_A_LEASE
            timing = paxos.Timing(suspicion / HEARTBEATS_BEFORE_SUSPICION, suspicion, lease)
            with Drill(given.nodes, data / f"lease-{lease:g}", timing) as drill:
                for _ in range(given.runs):
                    tell(0.8, f"holders with a lease of {lease:g} s")
                    holders.append(drill.lose_holder(lease))
        quiet = []
        for load in (0, 64):
            tell(
                0.8 if load == 0 else 0.9, f"{given.quiet:g} s of {'load' if load else 'idleness'}"
            )
            with Drill(given.nodes, data / f"quiet-{load}") as drill:
                quiet.append(drill.keep_quiet(load, given.quiet))
    found = (tuple(losses), tuple(quiet), tuple(holders))
    return Failover(place(given.where), given.nodes, *found)


class Drill:
    """A cluster of participants, killed at the end of the block."""

    def __init__(self, nodes: int, data: Path, timing: paxos.Timing | None = None) -> None:
        self._cluster = evolve(paxos.Cluster.local(nodes), timing=timing or paxos.Timing())
        self._standing = False
        self._held: list[tuple[int, str, float]] = []
        self._data = data
        self._load = 0
        self._participants: dict[str, Participant] = {}
        self._views: dict[str, paxos.Leadership | None] = {}

    def __enter__(self) -> Drill:
        """Start every participant."""
        self._data.mkdir()
        for name in self._cluster.names:
            self._start(name)
        return self

    def __exit__(self, *_: object) -> None:
        """Kill them all."""
        for participant in self._participants.values():
            participant.close()

    def drive(self, inflight: int) -> None:
        """Have every client propose from now on, restarted ones included."""
        self._load = inflight
        for participant in self._participants.values():
            participant.ask(Drive(inflight))

    def lose_leader(self, fault: str) -> Loss:
        """Wait until all is well, harm the leader, and sum up what the others saw."""
        leadership = self._await_leader()
        time.sleep(SETTLING)
        leader = self._participants[leadership.leader]
        others = [one for one in self._participants.values() if one is not leader]
        at = time.monotonic()
        FAULTS[fault](leader)
        diaries = self._await_next(others, leadership.epoch)
        loss = _sum_up(fault, at, leadership.epoch, diaries)
        self._mend(fault, leader)
        return loss

    def lose_holder(self, lease: float) -> HolderLoss:
        """Kill whoever holds an election in which all stand; wait until another holds it."""
        if not self._standing:
            self._standing = True
            for participant in self._participants.values():
                participant.ask(Stand())
        self._await_holder(0.0)
        time.sleep(max(SETTLING, lease))
        leadership = self._await_leader()
        name, _ = self._await_holder(0.0)
        holder = self._participants[name]
        holder.signal(signal.SIGKILL)
        killed = time.monotonic()
        holder.close()
        del self._participants[name]
        _, at = self._await_holder(killed)
        self._start(name)
        return HolderLoss(lease, at - killed, leadership.leader == name)

    def _await_holder(self, since: float) -> tuple[str, float]:
        """Return who was elected last, if later than ``since``, and when."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            for participant in self._participants.values():
                diary = participant.tell()
                self._note(participant, diary)
                self._held += [(term, participant.name, at) for at, term in diary.terms]
            if self._held and max(self._held)[2] > since:
                _, name, at = max(self._held)
                return name, at
            time.sleep(0.02)
        raise TimeoutError(f"nobody holds the election within {LIMIT:g} s")

    def keep_quiet(self, load: int, seconds: float) -> Quiet:
        """Let the cluster alone for some time, idle or with commands at the leader."""
        leadership = self._await_leader()
        if load:
            self._participants[leadership.leader].ask(Drive(load))
        time.sleep(SETTLING)
        for participant in self._participants.values():
            participant.tell()
        time.sleep(seconds)
        diaries = [participant.tell() for participant in self._participants.values()]
        return Quiet(
            load,
            seconds,
            sum(diary.suspicions for diary in diaries),
            sum(len(diary.leaderships) for diary in diaries),
            sum(len(diary.answers) for diary in diaries),
        )

    def _start(self, name: str) -> None:
        self._views[name] = None
        self._participants[name] = Participant(self._cluster, name, self._data / f"{name}.db")
        if self._load:
            self._participants[name].ask(Drive(self._load))
        if self._standing:
            self._participants[name].ask(Stand())

    def _mend(self, fault: str, leader: Participant) -> None:
        if fault == "SIGSTOP":
            leader.signal(signal.SIGCONT)
        elif fault == "cut":
            leader.ask(Cut(False))
        else:
            leader.close()
            self._start(leader.name)

    def _await_leader(self) -> paxos.Leadership:
        """Wait until all participants agree who leads."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            for participant in self._participants.values():
                self._note(participant, participant.tell())
            seen = {self._views.get(name) for name in self._participants}
            (leadership,) = seen if len(seen) == 1 else (None,)
            if leadership is not None:
                return leadership
            time.sleep(0.02)
        raise TimeoutError(f"no leader on whom all agree within {LIMIT:g} s: {self._views}")

    def _note(self, participant: Participant, diary: Diary) -> None:
        if diary.leaderships:
            self._views[participant.name] = diary.leaderships[-1][1]

    def _await_next(self, others: list[Participant], epoch: int) -> list[Diary]:
        """Wait until commands are answered under a newer epoch; return what the others saw."""
        diaries: dict[str, list[Diary]] = {one.name: [] for one in others}
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            time.sleep(0.1)
            for one in others:
                diary = one.tell()
                diaries[one.name].append(diary)
                self._note(one, diary)
            merged = [_merge(pages) for pages in diaries.values()]
            if all(_recovered(diary, epoch) for diary in merged):
                return merged
        raise TimeoutError(f"nobody has led after epoch {epoch} within {LIMIT:g} s")


def _merge(pages: list[Diary]) -> Diary:
    return Diary(
        tuple(change for page in pages for change in page.leaderships),
        tuple(answer for page in pages for answer in page.answers),
    )


def _led(diary: Diary, epoch: int) -> float | None:
    """Return when a newer leadership was first seen."""
    seen = (at for at, led in diary.leaderships if led is not None and led.epoch > epoch)
    return next(seen, None)


def _recovered(diary: Diary, epoch: int) -> bool:
    led = _led(diary, epoch)
    return led is not None and bool(diary.answers) and diary.answers[-1] > led


def _sum_up(fault: str, at: float, epoch: int, diaries: list[Diary]) -> Loss:
    led = min(when for diary in diaries if (when := _led(diary, epoch)) is not None)
    answered = min(answer for diary in diaries for answer in diary.answers if answer >= led)
    return Loss(fault, led - at, answered - at, max(map(_longest_gap, _since(at, diaries))))


def _since(at: float, diaries: list[Diary]) -> Iterator[list[float]]:
    """Yield each client's answers from the last one before the fault on."""
    for diary in diaries:
        before = sum(answer < at for answer in diary.answers)
        yield [at, *diary.answers] if before == 0 else list(diary.answers[before - 1 :])


def _longest_gap(answers: list[float]) -> float:
    return max((b - a for a, b in pairwise(answers)), default=0.0)
