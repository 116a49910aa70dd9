# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of leases for reads: a leader relies on one though another may have begun to lead."""

from __future__ import annotations

from paxos.protocol.ballot import Ballot
from paxos.protocol.quorums import Quorums
from paxos.replicated.read_leases import Grants, ReadLease
from paxos.testing.mutants.registry import mutant
from paxos.testing.read_lease_cluster import ReadLeaseCluster, Seat


@mutant(ReadLease, "on_granted", found_by="read leases")
def grant_counts_from_its_arrival(self: ReadLease, node: str, sent: int, granted: int) -> None:
    """The leader counts a grant from when it sent the heartbeat: the acceptor may count earlier."""
    length = min(granted / 1e6, self.length)
    self.until[node] = self.clock() + length * (1 - self.drift) / (1 + self.drift)


@mutant(ReadLease, "on_granted", found_by="read leases")
def grant_counts_from_the_last_sending(self: ReadLease, node: str, sent: int, granted: int) -> None:
    """A grant counts from when the heartbeat was sent that it answers, not from any later one."""
    if self.sent and granted:
        end = self.sent[-1][1] + self.length * (1 - self.drift) / (1 + self.drift)
        self.until[node] = max(end, self.until.get(node, end))


@mutant(ReadLease, "on_granted", found_by="read leases")
def lease_ignores_drift(self: ReadLease, node: str, sent: int, granted: int) -> None:
    """The leader's clock may be slow while that of the acceptor is fast."""
    for said, moment in self.sent:
        if said == sent:
            end = moment + min(granted / 1e6, self.length)
            self.until[node] = max(end, self.until.get(node, end))


@mutant(ReadLease, "holds", found_by="read leases")
def one_grant_is_enough(self: ReadLease, ballot: Ballot, quorums: Quorums, slot: int) -> bool:
    """A quorum grants: a successor needs none of those who do, if they are fewer."""
    now = self.clock()
    return ballot == self.ballot and any(now < until for until in self.until.values())


@mutant(Grants, "hold_back", found_by="read leases")
def candidate_is_not_held_back(self: Grants, ballot: Ballot, now: float) -> bool:
    """An acceptor answers no prepare above the ballot to which its grant runs."""
    return False


@mutant(Grants, "start", found_by="read leases")
def restart_forgets_grants(self: Grants, now: float) -> None:
    """After a restart no prepare is answered as long as what was granted before it may run."""


@mutant(Grants, "grant", found_by="read leases")
def grants_below_its_promise(self: Grants, ballot: Ballot, now: float) -> int:
    """An acceptor that has promised a higher ballot grants nothing to a lower one."""
    self.ballot, self.until = ballot, now + self.length
    return int(self.length * 1e6)


@mutant(ReadLeaseCluster, "clock", found_by="read leases")
def clock_stops_while_suspended(self: ReadLeaseCluster, seat: Seat) -> float:
    """The leader's clock goes on while its machine is suspended: the others count on."""
    return self.monotonic(seat)
