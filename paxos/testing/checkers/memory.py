"""Promises and votes never go back, not in one life and not across restarts."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Promised, Record, Voted
from paxos.testing.checkers.base import Checker, Violation


@define
class Memory(Checker):
    """Remembers for every node what it made durable, and compares."""

    _promised: dict[str, Ballot] = field(factory=dict)
    _votes: dict[str, dict[int, Ballot]] = field(factory=dict)
    _begun: dict[str, Ballot] = field(factory=dict)

    def persisted(self, node: str, records: Sequence[Record]) -> None:
        """See that each record goes on from the ones before."""
        for record in records:
            promised = self._promised.get(node, Ballot.ZERO)
            match record:
                case Promised(ballot):
                    if ballot < promised:
                        raise Violation(f"{node} promises {ballot} after {promised}")
                    self._promised[node] = ballot
                case Voted(slot, ballot):
                    if ballot < promised:
                        raise Violation(
                            f"{node} votes at {ballot} in slot {slot} after promising {promised}"
                        )
                    self._promised[node] = ballot
                    self._votes.setdefault(node, {})[slot] = ballot
                case Begun(ballot):
                    if ballot <= self._begun.get(node, Ballot.ZERO):
                        raise Violation(f"{node} begins ballot {ballot} again")
                    self._begun[node] = ballot

    def restarted(self, node: str, acceptor: Acceptor, frontier: int) -> None:
        """See that a new life forgets nothing that was durable."""
        promised = self._promised.get(node, Ballot.ZERO)
        if acceptor.promised < promised:
            raise Violation(f"{node} forgot in a restart that it promised {promised}")
        for slot, ballot in self._votes.get(node, {}).items():
            vote = acceptor.votes.get(slot)
            if slot >= acceptor.frontier and (vote is None or vote.ballot < ballot):
                raise Violation(f"{node} forgot in a restart its vote at {ballot} in slot {slot}")
        self._promised[node] = acceptor.promised
