"""Promises and votes never go back, not in one life and not across restarts."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Record, Voted
from paxos.protocol.values import Value
from paxos.replicated.roles import Roles
from paxos.testing.checkers.base import Checker, Violation
from paxos.testing.words import record_in_words


@define
class Durable:
    """What one node has made durable, as its records say; no journal is asked."""

    begun: Ballot = Ballot.ZERO
    promised: Ballot = Ballot.ZERO
    votes: dict[int, Voted] = field(factory=dict)
    top: int = 0
    """No slot from here on has a vote."""
    learned: list[Value] = field(factory=list)
    cast: dict[tuple[int, Ballot], Value] = field(factory=dict)
    """Every vote there ever was."""
    doubt: str = ""
    """Why its journal is not trusted any more."""

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case Begun(ballot):
                self.begun = max(self.begun, ballot)
            case Promised(ballot):
                self.promised = max(self.promised, ballot)
            case Voted(slot, ballot):
                self.promised = max(self.promised, ballot)
                self.votes[slot] = record
                self.cast[slot, ballot] = record.value
                self.top = max(self.top, slot + 1)
            case Learned(slot, _, value) if slot == len(self.learned):
                self.learned.append(value)

    def explains(self, record: Record) -> bool:
        """Tell whether this was durable at some time."""
        match record:
            case Begun(ballot):
                return ballot <= self.begun
            case Promised(ballot):
                return ballot <= self.promised
            case Voted(slot, ballot, value):
                return self.cast.get((slot, ballot)) == value
            case Learned(slot, _, value):
                return slot < len(self.learned) and self.learned[slot] == value

    def records(self) -> list[Record]:
        """Return what its journal must give back, word for word; see `Journal.recover`."""
        records: list[Record] = []
        if self.begun > Ballot.ZERO:
            records.append(Begun(self.begun))
        if self.promised > Ballot.ZERO:
            records.append(Promised(self.promised))
        records += (Learned(slot, None, value) for slot, value in enumerate(self.learned))
        records += (self.votes[slot] for slot in sorted(self.votes) if slot >= len(self.learned))
        return records


@define
class Memory(Checker):
    """Remembers for every node what it made durable, and compares."""

    nodes: dict[str, Durable] = field(factory=dict)

    def persisted(self, node: str, records: Sequence[Record]) -> None:
        """See that each record goes on from the ones before."""
        durable = self.nodes.setdefault(node, Durable())
        for record in records:
            if durable.doubt and not isinstance(record, Learned):
                raise Violation(f"{node} does not only learn with a journal in doubt: {record}")
            match record:
                case Promised(ballot):
                    if ballot < durable.promised:
                        raise Violation(f"{node} promises {ballot} after {durable.promised}")
                case Voted(slot, ballot):
                    if ballot < durable.promised:
                        raise Violation(
                            f"{node} votes at {ballot} in slot {slot} "
                            f"after promising {durable.promised}"
                        )
                case Begun(ballot):
                    if ballot <= durable.begun:
                        raise Violation(f"{node} begins ballot {ballot} again")
                case Learned(slot):
                    if slot > len(durable.learned):
                        raise Violation(f"{node} writes slot {slot} of its log above a gap")
            durable.add(record)

    def recovered(self, node: str, records: Sequence[Record], doubt: str) -> None:
        """See that the journal gives back what was made durable: all of it, and nothing else.

        A journal in doubt may lack some of that, and says so in every later life, too.
        """
        durable = self.nodes.setdefault(node, Durable())
        if doubt:
            durable.doubt = doubt
            durable.learned = [r.value for r in records if isinstance(r, Learned)]
            return
        if durable.doubt:
            raise Violation(f"the journal of {node} forgot its doubt: {durable.doubt}")
        expected = durable.records()
        for position in range(max(len(expected), len(records))):
            wanted = expected[position] if position < len(expected) else None
            found = records[position] if position < len(records) else None
            if wanted != found:
                raise Violation(
                    f"the journal of {node} gives back {found and record_in_words(found)} "
                    f"where {wanted and record_in_words(wanted)} is durable"
                )

    def restarted(self, node: str, roles: Roles) -> None:
        """See that the roles of a new life forget nothing that was durable."""
        durable, acceptor = self.nodes.setdefault(node, Durable()), roles.acceptor
        if durable.doubt:
            return
        if acceptor.promised < durable.promised:
            raise Violation(f"{node} forgot in a restart that it promised {durable.promised}")
        if roles.proposer.candidacy.proposer.highest < durable.begun:
            raise Violation(f"{node} forgot in a restart that it began {durable.begun}")
        for slot, vote in durable.votes.items():
            known = acceptor.votes.get(slot)
            if slot >= acceptor.frontier and (known is None or known.ballot < vote.ballot):
                raise Violation(
                    f"{node} forgot in a restart its vote at {vote.ballot} in slot {slot}"
                )
        learner, length = roles.learner.learner, len(durable.learned)
        if not learner.frontier == acceptor.frontier == length:
            raise Violation(
                f"{node} has learned {length} slots, and after a restart its learner says "
                f"{learner.frontier} and its acceptor {acceptor.frontier}"
            )
