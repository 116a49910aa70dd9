# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of terms, their clocks and the guards: a `PausedCluster` shows them."""

from __future__ import annotations

import sqlite3
import time

from paxos.fencing import Guard, SqlGuard
from paxos.node.clock import Clock
from paxos.node.term import Term
from paxos.replicated.elections import NodeSession
from paxos.replicated.leases import Lease, Vigil
from paxos.replicated.standing import Loss
from paxos.testing.guarded import SqlGate
from paxos.testing.mutants.registry import mutant

enter = Guard.enter


@mutant(Clock, "asleep", found_by="pauses")
def clock_stands_still_while_suspended(self: Clock) -> float:
    """A lease goes on to run out while the machine is suspended."""
    return 0.0


@mutant(Clock, "asleep", found_by="pauses")
def clocks_are_compared_across_a_stop(self: Clock) -> float:
    """A time that is too late would let a lease count from after its renewal was sent."""
    monotonic = self._gettime(time.CLOCK_MONOTONIC)
    return self._gettime(time.CLOCK_BOOTTIME) - monotonic


@mutant(Clock, "asleep", found_by="pauses")
def boot_time_is_read_first(self: Clock) -> float:
    """A time that is too early would let a term go on after its end."""
    boot_time = self._gettime(time.CLOCK_BOOTTIME)
    return boot_time - self._gettime(time.CLOCK_MONOTONIC)


@mutant(Term, "loss", found_by="pauses", wrap=property)
def check_waits_to_be_told(self: Term) -> Loss | None:
    """A check looks at the clock itself: its node may not have run since the lease ended."""
    return self._loss


@mutant(Lease, "chosen", found_by="pauses")
def holder_trusts_its_clock(self: Lease, renewal: int) -> None:
    """The holder's clock may be slow: it counts for the drift less."""
    while self.sent and self.sent[0][0] <= renewal:
        number, sent = self.sent.popleft()
        if number == renewal:
            self.until = max(self.until, sent + self.timing.lease)


@mutant(Vigil, "end", found_by="pauses")
def others_trust_their_clocks(self: Vigil, node: str, session: NodeSession) -> float:
    """The others' clocks may be fast: they wait for the drift more."""
    heard = self.heard[node][2]
    return (heard if session.terms else max(heard, self.since)) + session.lease / 1e6


@mutant(Guard, "enter", schedule=26, found_by="pauses")
def guard_admits_older_epochs(self: Guard, epoch: int, timeout: float | None = None) -> None:
    """A guard refuses an epoch that is older than another that has been there."""
    with self._changed:
        self._newest = max(self._newest, epoch)
        self._inside[epoch] = self._inside.get(epoch, 0) + 1


@mutant(Guard, "enter", found_by="pauses")
def guard_does_not_wait_for_older_acts(
    self: Guard, epoch: int, timeout: float | None = None
) -> None:
    """A newer epoch waits until the acts of older ones have ended."""
    inside, self._inside = self._inside, {}
    try:
        enter(self, epoch, timeout)
    finally:
        for older, count in inside.items():
            self._inside[older] = self._inside.get(older, 0) + count


@mutant(SqlGuard, "admit", schedule=26, found_by="pauses")
def sql_guard_admits_older_epochs(
    self: SqlGuard, connection: sqlite3.Connection, epoch: int
) -> None:
    """A guard in a database refuses older epochs, too."""
    connection.execute("SELECT 1")


@mutant(SqlGate, "leave", found_by="pauses")
def sql_guard_forgets(self: SqlGate, epoch: int) -> None:
    """What has been admitted is remembered together with what was done."""
    self._database.rollback()
