"""Holders of leases that are stopped around every check of their terms, on virtual time.

The terms, their clocks and the guards of what they act on are those of the package. A holder is
stopped before and inside of `Term.check`, between any two looks at the clocks; between the check
and the act; and the act is under way for a while. It is stopped for anything from a microsecond to
several leases, as a process (its clocks go on) or with its machine (Trio's clock stands still).
Meanwhile all the others go on. Whose check succeeds must lead by the whole log: there is no later
moment than the last look at the clocks of which a check can speak, and what comes after it is the
guard's affair.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush

from attrs import Factory, define

from paxos.errors import LeadershipLost
from paxos.node.clock import Clock
from paxos.node.term import Term
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.standing import Loss
from paxos.replicated.values import Leadership
from paxos.testing.guarded import Answer, GuardedResource, PlainGate, SqlGate
from paxos.testing.lease_cluster import LeaseCluster
from paxos.testing.lease_seats import Seat

SHORTEST, LONGEST = 1e-6, 4.0
"""How long a holder is stopped, in leases: from this to that, every order of magnitude alike."""

SUSPENDED = 0.3
"""Share of the stops in which the whole machine stands still."""

CHECKS = 3
"""How often a term is checked before its node does something else."""

STOPPED_INSIDE = 0.3
"""Share of the looks at a clock in a check before which the node is stopped."""

ELSEWHERE, STOPPED_ELSEWHERE = "elsewhere", 0.0005
"""Share of the looks at a clock, outside of checks, at which a node is stopped."""


@define
class Computer:
    """The clocks of one node's machine."""

    rate: float
    true: Callable[[], float]
    look: Callable[[bool], None]
    """Called before each look at a clock, the boot-time clock or another; it may stop the node."""
    slept: float = 0.0
    """For how long it was suspended, in true seconds."""

    def gettime(self, clock: int) -> float:
        """Read a clock, as `time.clock_gettime` does."""
        monotonic = clock == time.CLOCK_MONOTONIC
        self.look(not monotonic)
        return self.rate * (self.true() - (self.slept if monotonic else 0.0))

    def awake(self) -> float:
        """Read Trio's clock."""
        return self.gettime(time.CLOCK_MONOTONIC)


class NodeThere:
    """A term's node, of which nothing is asked."""

    closing = False

    def check_value(self, value: bytes) -> None:
        """Find nothing wrong."""

    async def decree(self, decree: Decree) -> Ruling:
        """Decide nothing."""
        raise NotImplementedError


@define
class Check:
    """A check that is under way."""

    election: str
    evidence: Leadership | None = None
    """Who led at the latest moment of which it can speak."""
    slept: bool = False
    """Whether the machine was suspended since that moment: only the boot-time clock tells that."""


@define
class PausedCluster(LeaseCluster):
    """A `LeaseCluster` whose holders are stopped around every check, and act on guarded resources.

    Raises:
        AssertionError: From `step`, if a check succeeds whose node does not lead, or a guard admits
            an older epoch after a newer one.

    """

    pace: float = 80.0
    resources: dict[str, GuardedResource] = Factory(dict)
    pauses: int = 0
    """How often a holder was stopped around a check."""
    _computers: dict[str, Computer] = Factory(dict)
    _clocks: dict[str, Clock] = Factory(dict)
    _terms: dict[tuple[str, str], Term] = Factory(dict)
    """By node and election."""
    _checks: dict[str, Check] = Factory(dict)
    """By node."""
    _acts: list[tuple[float, int, Callable[[], None]]] = Factory(list)
    """What will happen to resources: acts arrive, and end."""

    def __attrs_post_init__(self) -> None:
        """Build the resources, and start every node."""
        self.resources["blue"] = GuardedResource(PlainGate(), self.counts)
        self.resources["red"] = GuardedResource(SqlGate(), self.counts)
        super().__attrs_post_init__()

    def step(self, until: float = math.inf) -> None:
        """Let a little time pass: acts arrive and end, and one node does something."""
        super().step(until)
        while self._acts and self._acts[0][0] <= self.now:
            heappop(self._acts)[2]()

    def clock(self, seat: Seat) -> float:
        """Return what the node reads from its clocks; it may be stopped in between."""
        return self._clock(seat).now()

    def won(self, seat: Seat, leadership: Leadership) -> None:
        """Hear that a node has a term."""
        term = Term(NodeThere(), seat.office, self._clock(seat), leadership)
        self._terms[seat.name, leadership.election] = term

    def lost(self, seat: Seat, name: str, loss: Loss) -> None:
        """Hear that its term is over."""
        self._terms[seat.name, name].lose(loss)

    def work(self, seat: Seat, name: str, epoch: int) -> bool:
        """Check a term, and act on it; be stopped in between. Tell whether it lasts."""
        term = self._terms[seat.name, name]
        if name in seat.leaving:
            return False
        for _ in range(CHECKS):
            self._pause(seat, "before the check")
            if not self._check_term(seat, term):
                return False
            self._pause(seat, "before the act")
            self._later(self._some_time(), partial(self._arrive, name, epoch))
        return True

    def _check_term(self, seat: Seat, term: Term) -> bool:
        """Check a term while the node is stopped between any two looks at its clocks."""
        check = self._checks[seat.name] = Check(term.leadership.election)
        try:
            term.check()
        except LeadershipLost:
            self.counts["checks failed"] += 1
            return False
        finally:
            del self._checks[seat.name]
        self.counts["checks"] += 1
        if check.evidence != term.leadership:
            assert self.drift is not None, f"{term} was checked while {check.evidence} led"
            self.counts["checks mistaken"] += 1
        return True

    def _clock(self, seat: Seat) -> Clock:
        """Return the clock of a node; its machine outlives its restarts."""
        computer = self._computers.get(seat.name)
        if computer is None:
            look = partial(self._look, seat.name)
            computer = self._computers[seat.name] = Computer(seat.rate, lambda: self.now, look)
            self._clocks[seat.name] = Clock(computer.awake, computer.gettime)
        return self._clocks[seat.name]

    def _look(self, node: str, boot_time: bool) -> None:
        """Stop a node before it looks at a clock."""
        check, suspended = self._checks.get(node), False
        if self.random.random() < (STOPPED_ELSEWHERE if check is None else STOPPED_INSIDE):
            where = "before the boot-time clock" if boot_time else "before another clock"
            suspended = self._pause(self.seats[node], ELSEWHERE if check is None else where)
        if check is not None:
            check.slept = not boot_time and (check.slept or suspended)
            if not check.slept:
                check.evidence = self.holder(check.election)

    def _pause(self, seat: Seat, where: str) -> bool:
        """Stop a node while all the others go on; tell whether its machine was suspended."""
        self.pauses += where != ELSEWHERE
        began, suspended = self.now, self.random.random() < SUSPENDED
        until, seat.paused = began + self._some_time(), math.inf
        while self.now < until:  # longer where another node is stopped in the last moment
            self.step(until)
        seat.paused = self.now
        if suspended:
            self._computers[seat.name].slept += self.now - began
        if self.now - began > self.timing.lease:
            self.counts[f"long {where}"] += 1
        return suspended

    def _some_time(self) -> float:
        """Return from the shortest to the longest time, every order of magnitude alike."""
        orders = self.random.uniform(math.log(SHORTEST), math.log(LONGEST))
        return math.exp(orders) * self.timing.lease

    def _later(self, delay: float, what: Callable[[], None]) -> None:
        self._sent += 1
        heappush(self._acts, (self.now + delay, self._sent, what))

    def _arrive(self, name: str, epoch: int) -> None:
        """Let an act reach its resource, and be under way there for a while."""
        resource = self.resources[name]
        answer = resource.arrive(epoch)
        if answer is Answer.PUT_OFF:
            self._later(0.05 * self.timing.lease, partial(self._arrive, name, epoch))
        elif answer is Answer.ADMITTED:
            self._later(self._some_time(), partial(resource.end, epoch))
