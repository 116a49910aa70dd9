"""A ballot is given up for a higher one, and for no other."""

from __future__ import annotations

from attrs import define

from paxos.protocol.ballot import Ballot
from paxos.protocol.events import BallotLost, Event
from paxos.testing.checkers.base import Checker, Violation


@define
class Steadfast(Checker):
    """Hears for which ballot a proposer makes room, where it says for which."""

    def happened(self, node: str, event: Event) -> None:
        """Compare the two ballots."""
        match event:
            case BallotLost(ballot, promised) if Ballot.ZERO < promised <= ballot:
                raise Violation(f"{node} gives ballot {ballot} up for {promised}")
