"""A cluster of processes whose leader, or holder of an election, is harmed again and again.

Nothing here waits for ever: what does not come to pass in time ends in `Troubled`, whose text says
what it was. A leader that changes by itself, as on a machine that is too busy, is no loss of the
drill's: that run is done anew, and counted.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from attrs import evolve, frozen

import paxos
from benchmarks.failover.participant import Cut, Diary, Drive, Participant, Stand, Stop
from paxos.node.cluster import HEARTBEATS_BEFORE_SUSPICION, SUSPICIONS_IN_A_LEASE

SETTLING: Final = (0.3, 0.5)
"""Seconds between all being well and the next fault, at random, while clients propose: a fault may
come at any moment between two heartbeats."""

LIMIT: Final = 15.0
"""Seconds within which a cluster must be well again."""

ATTEMPTS: Final = 20
"""How often a run is done anew, since the leader or the holder changed by itself."""

FAULTS: Final[dict[str, Callable[[Participant], None]]] = {
    "kill -9": lambda leader: leader.signal(signal.SIGKILL),
    "SIGSTOP": lambda leader: leader.signal(signal.SIGSTOP),
    "cut": lambda leader: leader.ask(Cut(True)),
    "clean stop": lambda leader: leader.ask(Stop()),
}

T = TypeVar("T")


class Troubled(Exception):  # noqa: N818 - it says what happened
    """A cluster is not well, and this drill is over; the text says what did not come to pass."""


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
    by_itself: int
    """How often before, while all was well, the leader changed by itself."""


@frozen
class HolderLoss:
    """One death of the holder of an election (SIGKILL); times in seconds."""

    lease: float
    next: float
    """From the death until the next candidate holds it."""
    led: bool
    """Whether the holder led the log, too."""
    by_itself: int
    """How often before, while all was well, the election was lost by itself."""


def timing(lease: float) -> paxos.Timing:
    """Return the shortest patience that goes with a lease, in seconds."""
    suspicion = lease / SUSPICIONS_IN_A_LEASE
    return paxos.Timing(suspicion / HEARTBEATS_BEFORE_SUSPICION, suspicion, lease)


class Drill:
    """A cluster of participants, killed at the end of the block."""

    def __init__(
        self, nodes: int, data: Path, timing: paxos.Timing | None = None, seed: int = 0
    ) -> None:
        self._cluster = evolve(paxos.Cluster.local(nodes), timing=timing or paxos.Timing())
        self._data = data
        self._chance = random.Random(seed)  # noqa: S311 - when a fault comes, no secret
        self.load = 0
        """Commands in flight at each client."""
        self._standing = False
        self._participants: dict[str, Participant] = {}
        self._views: dict[str, paxos.Leadership | None] = {}
        self._terms: dict[int, tuple[str, float]] = {}
        """Of the election in which all stand: by epoch, who was elected, and when."""
        self._ended: set[int] = set()

    def __enter__(self) -> Drill:
        """Start every participant."""
        self._data.mkdir(parents=True)
        for name in self._cluster.names:
            self._start(name)
        return self

    def __exit__(self, *_: object) -> None:
        """Kill them all."""
        for participant in self._participants.values():
            participant.close()

    def participant(self, name: str) -> Participant:
        """Return one of them."""
        return self._participants[name]

    @property
    def participants(self) -> list[Participant]:
        """Those that are there."""
        return list(self._participants.values())

    def drive(self, inflight: int) -> None:
        """Have every client propose from now on, restarted ones included."""
        self.load = inflight
        for participant in self.participants:
            participant.ask(Drive(inflight))

    def lose_leader(self, fault: str) -> Loss:
        """Wait until all is well, harm the leader, and sum up what the others saw.

        Raises `Troubled`.
        """
        return self._repeat("the leader", lambda by_itself: self._lose_leader(fault, by_itself))

    def lose_holder(self, lease: float) -> HolderLoss:
        """Kill whoever holds an election in which all stand; wait until another holds it.

        Raises `Troubled`.
        """
        if not self._standing:
            self._standing = True
            for participant in self.participants:
                participant.ask(Stand())
        return self._repeat(
            "the election's holder", lambda by_itself: self._lose_holder(lease, by_itself)
        )

    def await_leader(self) -> paxos.Leadership:
        """Wait until all participants agree who leads; raise `Troubled` if they do not."""
        return self._wait("no leader on whom all agree", self._agreed)

    def _repeat(self, whom: str, once: Callable[[int], T | None]) -> T:
        for by_itself in range(ATTEMPTS):
            try:
                result = once(by_itself)
            except (OSError, EOFError, TimeoutError) as error:
                raise Troubled(f"a participant is gone: {error}") from error
            if result is not None:
                return result
        raise Troubled(f"{whom} changed by itself {ATTEMPTS} times in a row")

    def _lose_leader(self, fault: str, by_itself: int) -> Loss | None:
        leadership = self.await_leader()
        time.sleep(self._chance.uniform(*SETTLING))
        if self._agreed() != leadership:
            return None
        leader = self._participants[leadership.leader]
        others = [one for one in self.participants if one is not leader]
        at = time.monotonic()
        FAULTS[fault](leader)
        diaries = self._await_next(others, leadership.epoch)
        self._mend(fault, leader)
        loss = _sum_up(fault, at, leadership.epoch, diaries)
        return None if loss.leadership < 0 else evolve(loss, by_itself=by_itself)

    def _lose_holder(self, lease: float, by_itself: int) -> HolderLoss | None:
        held = self._await_term(0)
        time.sleep(max(lease, self._chance.uniform(*SETTLING)))
        leadership = self.await_leader()
        if max(self._terms) != held or held in self._ended:
            return None
        name, _ = self._terms[held]
        self._participants[name].signal(signal.SIGKILL)
        killed = time.monotonic()
        self._participants.pop(name).close()
        next_ = self._await_term(held)
        self._start(name)
        _, at = self._terms[next_]
        lost = HolderLoss(lease, at - killed, leadership.leader == name, by_itself)
        return None if at < killed else lost

    def _await_term(self, since: int) -> int:
        """Return the epoch of the last term, if later than ``since`` and not known to have ended.

        Whoever is elected while another is killed may have been so just before: that is told by
        the time of its election.
        """

        def last() -> int | None:
            self.look()
            epoch = max(self._terms, default=0)
            return epoch if epoch > since and epoch not in self._ended else None

        return self._wait("nobody holds the election", last)

    def _wait(self, otherwise: str, ready: Callable[[], T | None], pause: float = 0.02) -> T:
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            found = ready()
            if found is not None:
                return found
            time.sleep(pause)
        raise Troubled(f"{otherwise} within {LIMIT:g} s; leaders seen: {self._views}")

    def _start(self, name: str) -> None:
        self._views[name] = None
        self._participants[name] = Participant(self._cluster, name, self._data / f"{name}.db")
        if self.load:
            self._participants[name].ask(Drive(self.load))
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

    def look(self) -> list[Diary]:
        """Return what everybody has seen since the last look."""
        diaries: list[Diary] = []
        for participant in self.participants:
            diaries.append(participant.tell())
            self._note(participant, diaries[-1])
        return diaries

    def _note(self, participant: Participant, diary: Diary) -> None:
        """Take over whom a participant saw leading, and what it was elected for."""
        if diary.leaderships:
            self._views[participant.name] = diary.leaderships[-1][1]
        self._terms |= {epoch: (participant.name, at) for at, epoch in diary.terms}
        self._ended |= set(diary.ends)

    def _agreed(self) -> paxos.Leadership | None:
        self.look()
        seen = {self._views.get(name) for name in self._participants}
        (leadership,) = seen if len(seen) == 1 else (None,)
        return leadership

    def _await_next(self, others: list[Participant], epoch: int) -> list[Diary]:
        """Wait until commands are answered under a newer epoch; return what the others saw."""
        pages: dict[str, list[Diary]] = {one.name: [] for one in others}

        def recovered() -> list[Diary] | None:
            for one in others:
                diary = one.tell()
                pages[one.name].append(diary)
                self._note(one, diary)
            merged = [_merge(diaries) for diaries in pages.values()]
            return merged if all(_recovered(diary, epoch) for diary in merged) else None

        return self._wait(f"nobody has led after epoch {epoch}", recovered, 0.05)


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
    return Loss(fault, led - at, answered - at, max(map(_longest_gap, _since(at, diaries))), 0)


def _since(at: float, diaries: list[Diary]) -> Iterator[list[float]]:
    """Yield each client's answers from the last one before the fault on."""
    for diary in diaries:
        before = sum(answer < at for answer in diary.answers)
        yield [at, *diary.answers] if before == 0 else list(diary.answers[before - 1 :])


def _longest_gap(answers: list[float]) -> float:
    return max((b - a for a, b in pairwise(answers)), default=0.0)
