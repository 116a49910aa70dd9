"""Looks at both ends of every lease by true time, which only a simulation knows."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from paxos.protocol.ballot import Ballot
from paxos.protocol.proposer import Leading
from paxos.testing.checkers import Violation

if TYPE_CHECKING:
    from paxos.testing.simulation.engine import Engine
    from paxos.testing.simulation.simulation import Simulation


class LeaseWatch:
    """Tells a checker what each node believes of the leases that concern it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._checker = simulation.jury.leases
        self._counted: dict[str, dict[str, float]] = {}
        """By leader, what it counted on at the last look."""
        self._promised: dict[str, Ballot] = {}

    def renewed(self, process: Engine) -> None:
        """See, after a slot took effect at a node, that no session may expire while it is held."""
        if self._simulation.wild_clocks:
            return
        for other in self._up():
            if other is not process:
                self._compare_sessions(process, other)
                self._compare_sessions(other, process)

    def turned(self, process: Engine) -> None:
        """See that leases for reads are honoured, if a node's turn has changed any of them."""
        if not self._simulation.timing.lease_reads or self._simulation.wild_clocks:
            return
        name, roles = process.name, process.roles
        promised = roles.acceptor.promised
        if self._promised.get(name) != promised:
            self._promised[name] = promised
            self._see_all_honoured()
        until = roles.proposer.candidacy.heartbeats.lease.until
        if until and self._counted.get(name) != until:
            self._counted[name] = dict(until)
            self._see_honoured(process)

    def restarted(self, process: Engine) -> None:
        """See that a node honours what it granted in its life before."""
        self._promised.pop(process.name, None)
        self._counted.pop(process.name, None)
        self.turned(process)

    def _up(self) -> Iterator[Engine]:
        return (process for process in self._simulation.processes.values() if process.up)

    def _compare_sessions(self, holder: Engine, other: Engine) -> None:
        """Compare one renewal's end as its holder counts with that at which it may expire."""
        name, office, vigil = holder.name, holder.roles.office, other.roles.office.vigil
        if office.lease.until <= holder.clock():
            return
        mine = holder.roles.learner.state.elections.sessions.get(name)
        theirs = other.roles.learner.state.elections.sessions.get(name)
        if mine is None or theirs is None:
            return
        if not mine.boot == theirs.boot == office.session.boot or theirs.renewal < mine.renewal:
            return  # an expiry would be void
        if vigil.heard.get(name, ())[:2] == (theirs.boot, theirs.renewal):
            until, end = holder.true_time(office.lease.until), vigil.end(name, theirs)
            self._checker.counted("session", name, until, {other.name: other.true_time(end)})

    def _see_all_honoured(self) -> None:
        for process in self._up():
            self._see_honoured(process)

    def _see_honoured(self, leader: Engine) -> None:
        """See that each acceptor on whose grant a leader counts lets no other pass meanwhile."""
        proposer = leader.roles.proposer.candidacy.proposer
        lease, state = leader.roles.proposer.candidacy.heartbeats.lease, proposer.state
        if not isinstance(state, Leading) or not lease.until:
            return
        if not lease.holds(state.ballot, proposer.quorums, state.next_slot):
            return
        now = leader.clock()
        counted = {node: until for node, until in lease.until.items() if now < until}
        if not self._simulation.quorums.is_accept_quorum(state.next_slot, set(counted)):
            raise Violation(f"{leader.name} reads with a lease of {', '.join(counted)} alone")
        for node, until in counted.items():
            acceptor = self._simulation.processes[node]
            if acceptor.up:
                self._see_honoured_by(acceptor, leader, state.ballot, leader.true_time(until))

    def _see_honoured_by(
        self, acceptor: Engine, leader: Engine, ballot: Ballot, until: float
    ) -> None:
        promised = acceptor.roles.acceptor.promised
        if promised > ballot:
            raise Violation(
                f"{leader.name} reads with a lease at {ballot}, "
                f"and {acceptor.name} has promised {promised}"
            )
        grants = acceptor.roles.proposer.candidacy.heartbeats.grants
        end = max(grants.closed, grants.until if grants.ballot == ballot else -inf)
        honoured = {acceptor.name: acceptor.true_time(end)}
        self._checker.counted("lease for reads", leader.name, until, honoured)
