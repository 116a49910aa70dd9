"""What a leader and those who follow it tell each other, for as long as both live.

The leader's heartbeats carry what it knows of everybody's journals, and the answers tell it who
hears it, how long the way is, and, where the cluster wants that, leases for reads.
"""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send
from paxos.replicated.admission import Admission
from paxos.replicated.messages import Heard, Heartbeat
from paxos.replicated.pace import Pace
from paxos.replicated.read_leases import Grants, ReadLease


@define
class Heartbeats:
    """Both ends of one node: what it says while it leads, and answers while it follows."""

    name: str
    pace: Pace
    admission: Admission
    grants: Grants = field(factory=Grants)
    """What this node's acceptor grants the leader that is followed, this node included."""
    lease: ReadLease = field(factory=ReadLease)
    """What this node is granted while it leads."""
    newest: tuple[Ballot, int] = (Ballot.ZERO, 0)
    """Ballot and sending time of the newest heartbeat that came."""

    def sign_of_life(self, ballot: Ballot, frontier: int, now: float) -> Heartbeat:
        """Return what a leader says to those who follow it."""
        sent, round_trip = int(now * 1e6), int(self.pace.round_trip.mean * 1e6)
        return Heartbeat(ballot, frontier, sent, round_trip, self.admission.marks())

    def beat(self, targets: tuple[str, ...], ballot: Ballot, frontier: int, now: float) -> Effects:
        """Say that this node leads; what its own acceptor grants, it has at once."""
        sign = self.sign_of_life(ballot, frontier, now)
        if self.grants.length:
            self.lease.send(ballot, sign.sent)
            self.lease.on_granted(self.name, sign.sent, self.grants.grant(ballot, now))
        return (Send(targets, sign),) if targets else ()

    def on_heard(self, source: str, heard: Heard, now: float) -> None:
        """Learn from a follower's answer to this leader."""
        self.admission.note(heard.mark)
        if heard.lease:
            self.lease.on_granted(source, heard.sent, heard.lease)
        self.pace.measure(heard.sent, now)

    def is_news(self, beat: Heartbeat) -> bool:
        """Take note of a heartbeat; one that is late, repeated or replayed is no sign of life."""
        if (beat.ballot, beat.sent) <= self.newest:
            return False
        self.newest = (beat.ballot, beat.sent)
        for mark in beat.marks:
            self.admission.note(mark)
        return True

    def answer(self, source: str, beat: Heartbeat, frontier: int, now: float) -> Effects:
        """Tell a leader that it is heard, and what this node's acceptor grants it."""
        granted = self.grants.grant(beat.ballot, now)
        heard = Heard(beat.ballot, frontier, beat.sent, self.admission.own, granted)
        return (Send((source,), heard),)
