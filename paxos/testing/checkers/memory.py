"""Promises and votes never go back, not in one life and not across restarts."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import (
    Begun,
    Doubted,
    Learned,
    Piece,
    Promised,
    Readmitted,
    Record,
    Snapshotted,
    Voted,
)
from paxos.protocol.values import Value
from paxos.replicated.roles import Roles
from paxos.replicated.routing import Role
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
    learned: dict[int, Value] = field(factory=dict)
    frontier: int = 0
    snapshot: Snapshotted | None = None
    """The newest."""
    snapshots: set[Snapshotted] = field(factory=set)
    """Every one there ever was."""
    before: dict[Role, tuple[Ballot, Ballot]] = field(factory=dict)
    """The highest ballots that it had begun, and promised, when each role last listened: what it
    says after that turn may rest on no more."""
    ballots: set[Ballot] = field(factory=set)
    """Every ballot it ever began."""
    cast: dict[tuple[int, Ballot], Value] = field(factory=dict)
    """Every vote there ever was."""
    known: dict[int, Value] = field(factory=dict)
    """Every slot that it ever learned, in whichever journal."""
    highest: Ballot = Ballot.ZERO
    """The highest ballot that it ever promised."""
    promises: set[Ballot] = field(factory=set)
    """Every ballot that its journal says it promised."""
    forgot: Ballot | None = None
    """The highest ballot that it promised, may have forgotten, and may be counted on for; None
    where it forgot nothing."""
    noticed: bool = False
    """Whether the node knows that it has forgotten something."""

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case Begun(ballot):
                self.begun = max(self.begun, ballot)
                self.ballots.add(ballot)
            case Promised(ballot):
                self._promise(ballot)
            case Voted(slot, ballot):
                self._promise(ballot)
                self.votes[slot] = record
                self.cast[slot, ballot] = record.value
                self.top = max(self.top, slot + 1)
            case Learned(slot, _, value) if slot == self.frontier:
                self.learned[slot] = self.known[slot] = value
                self.frontier += 1
            case Snapshotted():
                self._compact(record)
            case Doubted():
                self.forgot, self.noticed = max(self.promised, self.forgot or Ballot.ZERO), True
            case Readmitted():
                self.forgot, self.noticed = None, False

    def _promise(self, ballot: Ballot) -> None:
        self.promised = max(self.promised, ballot)
        self.highest = max(self.highest, ballot)
        self.promises.add(ballot)

    def forget(self, records: Sequence[Record], noticed: bool, counted: Ballot) -> None:
        """Keep these alone: the journal has forgotten the others.

        ``counted`` is the highest ballot for which its promise may count.
        """
        self.forgot, self.noticed = max(counted, self.forgot or Ballot.ZERO), noticed
        self.begun = self.promised = Ballot.ZERO
        self.promises = set()
        self.votes, self.learned, self.frontier, self.snapshot = {}, {}, 0, None
        for record in records:
            self.add(record)

    def explains(self, record: Record) -> bool:
        """Tell whether this was durable at some time."""
        match record:
            case Begun(ballot):
                return ballot in self.ballots
            case Promised(ballot):
                return ballot <= self.highest
            case Voted(slot, ballot, value):
                return self.cast.get((slot, ballot)) == value
            case Learned(slot, _, value):
                return slot in self.known and self.known[slot] == value
            case Snapshotted():
                return record in self.snapshots
        return False

    def _compact(self, snapshot: Snapshotted) -> None:
        """Take a snapshot, if it is newer, for all that lies below it."""
        self.snapshots.add(snapshot)
        if self.snapshot is None or snapshot.position > self.snapshot.position:
            self.snapshot, self.frontier = snapshot, max(self.frontier, snapshot.position)

    def records(self) -> list[Record]:
        """Return what its journal must give back, word for word; see `Journal.recover`."""
        records: list[Record] = []
        if self.begun > Ballot.ZERO:
            records.append(Begun(self.begun))
        if self.promised > Ballot.ZERO:
            records.append(Promised(self.promised))
        first = 0
        if self.snapshot is not None:
            records.append(self.snapshot)
            first = self.snapshot.position
        log = range(first, self.frontier)
        records += (Learned(slot, None, self.learned[slot]) for slot in log)
        records += (self.votes[slot] for slot in sorted(self.votes) if slot >= self.frontier)
        return records


@define
class Memory(Checker):
    """Remembers for every node what it made durable, and compares."""

    nodes: dict[str, Durable] = field(factory=dict)
    _frontiers: dict[str, int] = field(factory=dict)
    """From which slot on each acceptor kept its votes at the last look."""
    _told: dict[Ballot, dict[str, int]] = field(factory=dict)
    """By ballot and acceptor, the first slot of which it told its vote when it promised."""

    def persisted(self, node: str, records: Sequence[Record]) -> None:
        """See that each record goes on from the ones before."""
        durable = self.nodes.setdefault(node, Durable())
        forgetful = durable.forgot is not None
        if forgetful:
            self._see_that_it_keeps_silent(node, durable, records)
        for record in records:
            match record:
                case Promised(ballot):
                    if ballot < durable.promised:
                        raise Violation(f"{node} promises {ballot} after {durable.promised}")
                case Voted(slot, ballot):
                    if ballot < durable.promised and not forgetful:
                        raise Violation(
                            f"{node} votes at {ballot} in slot {slot} "
                            f"after promising {durable.promised}"
                        )
                case Begun(ballot):
                    if ballot <= durable.begun:
                        raise Violation(f"{node} begins ballot {ballot} again")
                case Learned(slot):
                    if slot > durable.frontier:
                        raise Violation(f"{node} writes slot {slot} of its log above a gap")
            durable.add(record)
        for record in records:
            if isinstance(record, Readmitted):
                self._see_that_it_replaced(node, durable, record.ballot)

    def promised(self, node: str, ballot: Ballot, frontier: int) -> None:
        """Hear that an acceptor promises, and from which slot on it tells its votes."""
        told = self._told.setdefault(ballot, {})
        told[node] = min(frontier, told.get(node, frontier))

    def _see_that_it_replaced(self, node: str, durable: Durable, ballot: Ballot) -> None:
        """See that all others had promised, and that it has their last votes for its own."""
        for name, other in self.nodes.items():
            if name == node:
                continue
            if other.promised < ballot:
                raise Violation(
                    f"{node} is readmitted above {ballot}, which {name} has not promised"
                )
            told = self._told.get(ballot, {}).get(name, 0)
            if durable.frontier < told:
                raise Violation(
                    f"{node} is readmitted with {durable.frontier} slots, "
                    f"and {name} told of no vote below slot {told}"
                )
            for slot, vote in other.votes.items():
                own = durable.votes.get(slot)
                open_ = slot >= durable.frontier and vote.ballot < ballot
                if open_ and (own is None or own.ballot < vote.ballot):
                    raise Violation(
                        f"{node} is readmitted without the vote of {name} "
                        f"at {vote.ballot} in slot {slot}"
                    )

    def _see_that_it_keeps_silent(
        self, node: str, durable: Durable, records: Sequence[Record]
    ) -> None:
        """See that it votes only when it is readmitted, above all that it may have promised."""
        for record in records:
            match record:
                case Readmitted(ballot):
                    assert durable.forgot is not None
                    if ballot <= durable.forgot:
                        raise Violation(
                            f"{node} is readmitted above {ballot}, "
                            f"and forgot that it promised {durable.forgot}"
                        )
                    return
                case Doubted():
                    return
                case Begun() if durable.noticed:
                    pass  # it prepares to be readmitted
                case Learned() | Piece() | Snapshotted():
                    pass
                case _ if not any(isinstance(each, Readmitted) for each in records):
                    raise Violation(
                        f"{node} has forgotten something, and yet: {record_in_words(record)}"
                    )

    def forgotten(self, node: str, records: Sequence[Record], *, noticed: bool) -> None:
        """Hear that a journal has forgotten what it does not give back, as it was made to do.

        A promise to a ballot of its own counts for nothing where nobody else has promised as much:
        the life that began it proposed nothing in it, and is over.
        """
        durable = self.nodes.setdefault(node, Durable())
        others = [other.promised for name, other in self.nodes.items() if name != node]
        counted = [
            ballot
            for ballot in durable.promises
            if ballot.node != node or any(ballot <= promised for promised in others)
        ]
        durable.forget(records, noticed, max(counted, default=Ballot.ZERO))

    def recovered(self, node: str, records: Sequence[Record]) -> None:
        """See that the journal gives back what was made durable: all of it, and nothing else."""
        expected = self.nodes.setdefault(node, Durable()).records()
        for position in range(max(len(expected), len(records))):
            wanted = expected[position] if position < len(expected) else None
            found = records[position] if position < len(records) else None
            if wanted != found:
                raise Violation(
                    f"the journal of {node} gives back {found and record_in_words(found)} "
                    f"where {wanted and record_in_words(wanted)} is durable"
                )

    def listens(self, node: str, role: Role) -> None:
        """Note what is durable before a role answers: more may be before its answers are out."""
        durable = self.nodes.setdefault(node, Durable())
        durable.before[role] = durable.begun, durable.promised

    def turned(self, node: str, roles: Roles) -> None:
        """See that no role knows less than is durable, and lets go of no vote in an open slot."""
        acceptor = roles.acceptor
        durable = self.nodes.setdefault(node, Durable())
        if acceptor.promised < durable.promised:
            raise Violation(f"{node} takes {acceptor.promised} for its highest promise or vote")
        if roles.proposer.candidacy.proposer.highest < durable.begun:
            raise Violation(f"{node} has forgotten that it began {durable.begun}")
        if self._frontiers.get(node) != acceptor.frontier:
            self._frontiers[node] = acceptor.frontier
            self._see_that_votes_are_kept(node, acceptor, "with the slots that it learned")

    def restarted(self, node: str, roles: Roles) -> None:
        """See that the roles of a new life forget nothing that was durable."""
        durable, acceptor = self.nodes.setdefault(node, Durable()), roles.acceptor
        if acceptor.promised < durable.promised:
            raise Violation(f"{node} forgot in a restart that it promised {durable.promised}")
        if roles.proposer.candidacy.proposer.highest < durable.begun:
            raise Violation(f"{node} forgot in a restart that it began {durable.begun}")
        self._see_that_votes_are_kept(node, acceptor, "in a restart")
        learner, length = roles.learner.learner, durable.frontier
        if not learner.frontier == acceptor.frontier == length:
            raise Violation(
                f"{node} has learned {length} slots, and after a restart its learner says "
                f"{learner.frontier} and its acceptor {acceptor.frontier}"
            )

    def _see_that_votes_are_kept(self, node: str, acceptor: Acceptor, when: str) -> None:
        durable = self.nodes.setdefault(node, Durable())
        for slot in range(acceptor.frontier, durable.top):
            vote, known = durable.votes.get(slot), acceptor.votes.get(slot)
            if vote is not None and (known is None or known.ballot < vote.ballot):
                raise Violation(f"{node} forgot {when} its vote at {vote.ballot} in slot {slot}")
