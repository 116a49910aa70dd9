"""What the replicated log reports to whoever watches."""

from __future__ import annotations

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.protocol.events import Event


@frozen
class Alarm(Event):
    """Base of the events that a person should hear of; as a string each says what to do."""


@frozen
class LeaderSuspected(Event):
    """A follower has not heard its leader for ``silence`` seconds."""

    ballot: Ballot
    silence: float


@frozen
class StateDiverged(Event):
    """The state of a node differs from that of a quorum, and so it has stopped."""

    position: int
    why: str


@frozen
class QuorumLost(Event):
    """A leader stepped down because too few followers hear it."""

    ballot: Ballot
    reachable: tuple[str, ...]
