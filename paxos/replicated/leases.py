"""How long a lease lasts, by two clocks of which neither knows the other.

A node holds its candidacies and terms for as long as it renews its session in the log. It counts
each renewal from the moment at which it *sent* it, for the lease less the drift; others count it
from the moment at which they *applied* it, for the lease and the drift. They applied it after it
was sent, so while every clock's rate is within the drift of true time, the holder's count ends
first: before anybody may so much as propose that its session has expired. No clock is compared
with another, and a new leader of the log counts on what it has applied itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from attrs import define, field

from paxos.replicated.election_decrees import Expire
from paxos.replicated.elections import NodeSession
from paxos.replicated.timing import Timing

RENEWALS_IN_A_LEASE = 4
"""How often a session is renewed while one lease lasts."""

LIVELY = 0.5
"""Share of its lease within which a candidate that lives has renewed it. One that has not keeps
its place in the queue, but is not appointed: it would first have to expire."""

REMEMBERED = 16
"""How many renewals under way are remembered; by then the first has run out."""


@define
class Lease:
    """A node's hold on its own session, by its own clock in seconds."""

    timing: Timing
    until: float = -math.inf
    """When the newest renewal that is known to be chosen runs out."""
    renewals: int = 0
    """How many were sent."""
    due: float = -math.inf
    """When the next is to be sent."""
    sent: deque[tuple[int, float]] = field(factory=lambda: deque(maxlen=REMEMBERED))

    @property
    def microseconds(self) -> int:
        """The lease, as renewals name it."""
        return int(self.timing.lease * 1e6)

    def send(self, now: float) -> int:
        """Return the number of a renewal that is about to be sent; it counts from this moment.

        Campaigns carry renewals, too, and there may be thousands in a moment: those that are sent
        together share one, which counts from the first. So none is pushed out before it is chosen.
        """
        if self.sent and now < self.sent[-1][1] + self.timing.lease / REMEMBERED:
            return self.sent[-1][0]
        self.renewals += 1
        self.sent.append((self.renewals, now))
        self.due = now + self.timing.lease / RENEWALS_IN_A_LEASE
        return self.renewals

    def chosen(self, renewal: int) -> None:
        """Hear that a renewal was chosen; those before it are of no use any more."""
        while self.sent and self.sent[0][0] <= renewal:
            number, sent = self.sent.popleft()
            if number == renewal:
                self.until = max(self.until, sent + self.timing.lease * (1 - self.timing.drift))


@define
class Vigil:
    """When this node last applied a renewal of each session, by its own clock in seconds."""

    timing: Timing
    heard: dict[str, tuple[int, int, float]] = field(factory=dict)
    """By node: boot, renewal, and when it was applied here, or later."""
    since: float = -math.inf
    """Since when this node leads the log. Before, perhaps nobody did, and no session could be
    renewed: candidates are not missed for that. Those who led do not believe it any more, so they
    are."""

    def look(self, sessions: Mapping[str, NodeSession], now: float) -> None:
        """Note what was renewed; called after it was applied, so ``now`` is never too early."""
        for node, session in sessions.items():
            if self.heard.get(node, ())[:2] != (session.boot, session.renewal):
                self.heard[node] = (session.boot, session.renewal, now)

    def end(self, node: str, session: NodeSession) -> float:
        """Return when a session may be called expired."""
        heard = self.heard[node][2]
        begun = heard if session.terms else max(heard, self.since)
        return begun + session.lease / 1e6 * (1 + self.timing.drift)

    def lively(self, node: str, session: NodeSession, now: float) -> bool:
        """Tell whether a node has renewed its session lately."""
        return now < self.heard[node][2] + session.lease / 1e6 * LIVELY

    def expired(self, sessions: Mapping[str, NodeSession], now: float) -> list[Expire]:
        """Return the expiries that may be proposed; each names the renewal on which it rests."""
        return [
            Expire(node, *self.heard[node][:2])
            for node, session in sessions.items()
            if session.held and now >= self.end(node, session)
        ]

    def next(self, sessions: Mapping[str, NodeSession], now: float) -> float:
        """Return when the next session runs out unless it is renewed."""
        ends = (self.end(node, session) for node, session in sessions.items() if session.held)
        return min((end for end in ends if end > now), default=math.inf)
