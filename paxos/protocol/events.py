"""What a role reports to whoever watches; nothing depends on anyone listening."""

from __future__ import annotations

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effect


@frozen
class Event(Effect):
    """Base of everything that an `Instrument` hears."""


@frozen
class BallotBegun(Event):
    """A proposer starts phase 1."""

    ballot: Ballot


@frozen
class BallotPrepared(Event):
    """A proposer completed phase 1: a quorum promised."""

    ballot: Ballot
    recovered: int
    """How many open slots it must propose again."""


@frozen
class BallotLost(Event):
    """A proposer gave a ballot up because an acceptor promised a higher one."""

    ballot: Ballot
    promised: Ballot


@frozen
class SlotChosen(Event):
    """A learner saw a quorum of equal ballots."""

    slot: int
    ballot: Ballot
