"""Leases for reads: a leader that knows that no other can have begun to lead asks nobody.

Where the cluster's setting asks for it, every acceptor that hears a leader's heartbeat *grants* it
a lease: for a while from the receipt it answers no prepare above that ballot. It grants only what
it has promised nothing above. The leader counts each grant from when it *sent* that heartbeat. As
long as grants of a quorum run, no higher ballot has completed phase 1, then or earlier: its
promises would need one of these acceptors, before its grant or in spite of it. So nothing was
chosen at a higher ballot, and the first slot in which this ballot has not proposed is a read point,
for the same reason as in `Confirmation`, without its round.

It is enough to look at the clock once, after the read began: what the state then still lacks below
the point may be applied later, with the lease or without.

This is the only place where what clients see depends on clocks. It is assumed that the rates of
leader and acceptors differ from true time by less than the drift, and that the leader's clock goes
on while its machine is suspended. No clock is compared with another. Agreement needs none of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.quorums import Quorums
from paxos.replicated.timing import Timing

SHARE_OF_SUSPICION = 0.5
"""How long a grant lasts. A follower encourages no candidate before it has missed its leader for so
long, so a grant delays nobody who stands because a leader is silent."""

REST = 4
"""For so many lengths of a grant no other begins, once a candidate was held back: it shall get
through when it asks again."""

REMEMBERED = 16
"""How many heartbeats are remembered; an answer to an earlier one comes too late to be of use."""


def length_of(timing: Timing) -> float:
    """Return how long a grant lasts, in seconds; 0 where none is given."""
    return SHARE_OF_SUSPICION * timing.suspicion if timing.lease_reads else 0.0


@define
class Grants:
    """What an acceptor has granted, by its own node's clock in seconds."""

    length: float = 0.0
    """How long a grant lasts; 0 if this node grants none."""
    promised: Callable[[], Ballot] = lambda: Ballot.ZERO
    """Returns the highest ballot that the acceptor has promised."""
    ballot: Ballot = Ballot.ZERO
    """The last to which a lease was granted."""
    until: float = -math.inf
    """When that runs out."""
    closed: float = -math.inf
    """Until then no prepare is answered at all: an earlier life may have granted something."""
    resting: float = -math.inf
    """Until then nothing is granted."""

    def start(self, now: float) -> None:
        """Begin a life: what the one before it granted is forgotten, so suppose the most."""
        if self.length:
            self.closed = now + self.length

    def grant(self, ballot: Ballot, now: float) -> int:
        """Grant a lease to a ballot whose heartbeat has just come; return its microseconds."""
        if not self.length or now < self.resting or self.promised() > ballot:
            return 0
        if now < self.until and ballot < self.ballot:
            return 0
        self.ballot, self.until = ballot, now + self.length
        return int(self.length * 1e6)

    def end(self, ballot: Ballot) -> None:
        """Hear from the leader itself that this ballot leads no more."""
        if ballot == self.ballot:
            self.until = -math.inf

    def hold_back(self, ballot: Ballot, now: float) -> bool:
        """Tell whether the acceptor must leave a prepare unanswered; it will be repeated."""
        if now < self.closed:
            return True
        if now >= self.until or ballot <= self.ballot:
            return False
        self.resting = now + REST * self.length
        return True


@define
class ReadLease:
    """What a leader was granted, by its own clock, which goes on while it is suspended."""

    length: float = 0.0
    """How long a grant lasts, by the clocks of those who grant; 0 if nothing is counted on."""
    drift: float = 0.0
    """By what share, at most, the rate of a clock differs from true time."""
    clock: Callable[[], float] = lambda: math.inf
    """Returns the time in seconds. By this one no lease ever holds."""
    ballot: Ballot = Ballot.ZERO
    """Whose grants these are."""
    sent: deque[tuple[int, float]] = field(factory=lambda: deque(maxlen=REMEMBERED))
    """The last heartbeats: what they say of their sending, and when it was."""
    until: dict[str, float] = field(factory=dict)
    """By acceptor, until when its last grant may be counted on."""

    def send(self, ballot: Ballot, sent: int) -> None:
        """Note that a heartbeat is about to be sent; grants count from this moment."""
        if ballot != self.ballot:
            self.ballot, self.until = ballot, {}
            self.sent.clear()
        self.sent.append((sent, self.clock()))

    def on_granted(self, node: str, sent: int, granted: int) -> None:
        """Hear that an acceptor grants so many microseconds from its receipt of a heartbeat."""
        for said, moment in self.sent:
            if said == sent:
                length = min(granted / 1e6, self.length)
                end = moment + length * (1 - self.drift) / (1 + self.drift)
                self.until[node] = max(end, self.until.get(node, end))

    def holds(self, ballot: Ballot, quorums: Quorums, slot: int) -> bool:
        """Tell whether at this moment no ballot above this one can have chosen ``slot``.

        Those who vote for it would have to meet those who promised that ballot: so must those who
        grant, who take the part of the voters here.
        """
        if ballot != self.ballot:
            return False
        now = self.clock()
        granting = {node for node, until in self.until.items() if now < until}
        return quorums.is_accept_quorum(slot, granting)
