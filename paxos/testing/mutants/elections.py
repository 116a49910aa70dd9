# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of named elections and their leases: a whole simulated cluster shows them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from attrs import evolve

from paxos.protocol.effects import Effects
from paxos.replicated.decrees import Carried, Change, Decree, Ruling
from paxos.replicated.election_decrees import Expire, Proclaim, Renewed
from paxos.replicated.elections import Election, Elections, NodeSession
from paxos.replicated.leases import Lease, Vigil
from paxos.replicated.office import Office
from paxos.replicated.values import Leadership, Session
from paxos.testing.mutants.registry import mutant

applied, appoint, proclaim = Office.applied, Elections._appoint, Elections._proclaim


@mutant(Office, "applied", schedule=24, found_by="leases")
def lease_counts_from_applying(
    self: Office,
    changes: Iterable[Change],
    rulings: Iterable[tuple[Decree, Ruling | None]],
    now: float,
) -> Effects:
    """The holder counts its lease from sending the renewal."""
    changes = tuple(changes)
    if any(isinstance(c, Renewed) and (c.node, c.boot) == self.session for c in changes):
        lease = self.timing.lease * (1 - self.timing.drift)
        self.lease.until = max(self.lease.until, now + lease)
    return applied(self, changes, rulings, now)


@mutant(Lease, "chosen", schedule=24, found_by="leases")
def lease_counts_from_the_last_sending(self: Lease, renewal: int) -> None:
    """A renewal counts from when it was sent itself, not from when any other was."""
    if self.sent:
        self.until = max(self.until, self.sent[-1][1] + self.timing.lease * (1 - self.timing.drift))
    while self.sent and self.sent[0][0] <= renewal:
        self.sent.popleft()


@mutant(Vigil, "look", found_by="leases")
def expiry_counts_from_an_older_renewal(
    self: Vigil, sessions: Mapping[str, NodeSession], now: float
) -> None:
    """An expiry counts from when the renewal that it names was applied."""
    for node, held in sessions.items():
        heard = self.heard.get(node, (held.boot, 0, now))
        self.heard[node] = (held.boot, held.renewal, heard[2] if heard[0] == held.boot else now)


@mutant(Elections, "_expire", found_by="leases")
def expiry_ignores_newer_renewals(self: Elections, decree: Expire, changes: list[Change]) -> Ruling:
    """An expiry is void if a newer renewal was chosen before it."""
    self._end(decree.node, "expired", changes)
    return Carried()


@mutant(Vigil, "look", schedule=25, found_by="leases")
def restart_forgets_what_was_granted(
    self: Vigil, sessions: Mapping[str, NodeSession], now: float
) -> None:
    """A node that has just started honours every lease that it finds in the log."""
    for node, held in sessions.items():
        heard = self.heard.get(node)
        if heard is None:
            self.heard[node] = (held.boot, held.renewal, -math.inf)
        elif heard[:2] != (held.boot, held.renewal):
            self.heard[node] = (held.boot, held.renewal, now)


@mutant(Vigil, "end", found_by="leases")
def others_do_not_wait_for_the_whole_lease(self: Vigil, node: str, session: NodeSession) -> float:
    """Others wait for the whole lease, and for the drift of the clocks beyond it."""
    share = 1 - 4 * self.timing.drift
    return self.heard[node][2] + session.lease / 1e6 * share


@mutant(Office, "holds", found_by="leases")
def check_does_not_look_at_the_clock(self: Office, name: str, now: float) -> bool:
    """A leader believes only as long as its lease lasts, whatever it has heard."""
    standing = self.standings.get(name)
    return standing is not None and standing.leading


@mutant(Elections, "_appoint", found_by="leases")
def epoch_is_kept_on_another_acquisition(
    self: Elections, decree: Leadership, changes: list[Change]
) -> Ruling:
    """Every acquisition has an epoch of its own, by the same node, too."""
    election = self.by_name.get(decree.election)
    if election is not None and election.leader is None and election.reason == "resigned":
        election.epoch -= 1
        decree = Leadership(decree.leader, decree.epoch - 1, decree.election)
    return appoint(self, decree, changes)


@mutant(Elections, "_appoint", found_by="leases")
def appointed_while_another_leads(
    self: Elections, decree: Leadership, changes: list[Change]
) -> Ruling:
    """Nobody is appointed before the last term has ended in the log."""
    election = self.by_name.get(decree.election)
    if election is not None and election.leader is not None and election.roster:
        self._leave(election.leader, decree.election, "resigned", [])
        decree = Leadership(decree.leader, election.epoch + 1, decree.election)
    return appoint(self, decree, changes)


@mutant(Elections, "_proclaim", found_by="simulation")
def proclaimed_in_an_earlier_epoch(
    self: Elections, decree: Proclaim, session: Session, changes: list[Change]
) -> Ruling:
    """A leader proclaims a value of the term in which it does so, not of an earlier one."""
    election = self.by_name.get(decree.election) or Election()
    decree = evolve(decree, epoch=election.epoch)
    return proclaim(self, decree, session, changes)
