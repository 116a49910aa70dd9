"""What must always hold of the roles, checked by one who sees every effect of every node."""

from __future__ import annotations

from attrs import Factory, define

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Accepted, Message, Prepare, Promise
from paxos.protocol.quorums import Quorums
from paxos.protocol.records import Begun, Promised, Record, Voted
from paxos.protocol.values import Value


@define
class Invariants:
    """The history of a cluster as no role can see it; every method asserts.

    Raises:
        AssertionError: From every method, if what it hears breaks an invariant.

    """

    quorums: Quorums
    begun: dict[str, Ballot] = Factory(dict)
    promised: dict[str, Ballot] = Factory(dict)
    """By acceptor, the highest ballot that it durably promised; a vote is a promise, too."""
    votes: dict[str, dict[int, Voted]] = Factory(dict)
    """By acceptor and slot, the last durable vote."""
    voters: dict[tuple[int, Ballot], set[str]] = Factory(dict)
    """By slot and ballot, who ever voted."""
    proposals: dict[tuple[int, Ballot], Value] = Factory(dict)
    chosen: dict[int, tuple[Ballot, Value]] = Factory(dict)

    def persisted(self, node: str, record: Record) -> None:
        """Ballots, promises and votes only rise; what is chosen never changes."""
        match record:
            case Begun(ballot):
                assert ballot > self.begun.get(node, Ballot.ZERO), f"{node} reuses {ballot}"
                self.begun[node] = ballot
            case Promised(ballot):
                self._promise(node, ballot)
            case Voted(slot, ballot, value):
                self._promise(node, ballot)
                assert value == self.proposals[slot, ballot], "a vote for what was not proposed"
                self.votes.setdefault(node, {})[slot] = record
                voters = self.voters.setdefault((slot, ballot), set())
                voters.add(node)
                if self.quorums.is_accept_quorum(slot, voters):
                    _, first = self.chosen.setdefault(slot, (ballot, value))
                    assert value == first, f"slot {slot} has two values: {first} and {value}"

    def sent(self, node: str, message: Message) -> None:
        """Nothing is said before it is durable, and a chosen value is the only one proposed."""
        match message:
            case Prepare(ballot):
                assert self.begun.get(node) == ballot, "a prepare that is not durable"
            case Promise(ballot):
                assert self.promised.get(node) == ballot, "a promise that is not durable"
            case Accepted(ballot, slot):
                assert node in self.voters.get((slot, ballot), ()), "a vote that is not durable"
            case Accept(ballot, slot, value):
                first = self.proposals.setdefault((slot, ballot), value)
                assert value == first, f"ballot {ballot} has two proposals in slot {slot}"
                if slot in self.chosen and ballot > self.chosen[slot][0]:
                    assert value == self.chosen[slot][1], f"P2b: {value} in chosen slot {slot}"

    def delivered(self, node: str, slot: int, value: Value, log: list[Value]) -> None:
        """Check that a log grows by one slot at a time, and only by what is chosen."""
        assert slot == len(log), f"{node} delivers slot {slot} after {len(log) - 1}"
        assert slot in self.chosen, f"{node} delivers slot {slot}, which is not chosen"
        assert value == self.chosen[slot][1], f"{node} delivers {value} in slot {slot}"

    def remembers(self, node: str, acceptor: Acceptor) -> None:
        """No promise and no vote in an open slot is ever forgotten, not even by a restart."""
        assert acceptor.promised >= self.promised.get(node, Ballot.ZERO), f"{node} forgot a promise"
        for slot, voted in self.votes.get(node, {}).items():
            if slot >= acceptor.frontier:
                vote = acceptor.votes.get(slot)
                assert vote is not None, f"{node} forgot its vote in slot {slot}"
                assert vote.ballot >= voted.ballot, f"{node} went back to an older vote"

    def _promise(self, node: str, ballot: Ballot) -> None:
        promised = self.promised.get(node, Ballot.ZERO)
        assert ballot >= promised, f"{node} promised {promised} and then {ballot}"
        self.promised[node] = ballot
