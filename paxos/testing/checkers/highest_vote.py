"""What a ballot proposes is what the promises for it allow (P2c)."""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Message, Promise, Vote
from paxos.protocol.quorums import Quorums
from paxos.protocol.values import Value
from paxos.testing.checkers.base import Checker, Violation


@define
class Promised:
    """What one acceptor said when it promised a ballot, however often."""

    frontier: int
    """The first slot that it spoke of."""
    votes: dict[int, Vote] = field(factory=dict)


@define
class HighestVote(Checker):
    """Remembers what was promised to each ballot, and compares the first proposal for each slot.

    Some quorum must allow it, whichever the proposer has heard: one that speaks of the slot, and of
    whose votes there the one of highest ballot is for this value, or that has no votes there.
    """

    quorums: Quorums
    _promises: dict[Ballot, dict[str, Promised]] = field(factory=dict)
    _proposed: set[tuple[Ballot, int]] = field(factory=set)

    def sent(self, node: str, message: Message) -> None:
        """Note a promise, or look at a proposal."""
        match message:
            case Accept(ballot, slot, value) if (ballot, slot) not in self._proposed:
                self._proposed.add((ballot, slot))
                if not self._allowed(ballot, slot, value):
                    raise Violation(
                        f"{node} proposes {value} at {ballot} in slot {slot}, "
                        "which no quorum of the promises for that ballot allows"
                    )
            case Promise(ballot, frontier):
                promised = self._promises.setdefault(ballot, {}).setdefault(
                    node, Promised(frontier)
                )
                promised.frontier = min(promised.frontier, frontier)
                for vote in message.votes:
                    promised.votes.setdefault(vote.slot, vote)

    def _allowed(self, ballot: Ballot, slot: int, value: Value) -> bool:
        speakers = {
            node: promised.votes.get(slot)
            for node, promised in self._promises.get(ballot, {}).items()
            if promised.frontier <= slot
        }
        silent = {node for node, vote in speakers.items() if vote is None}
        if self.quorums.is_prepare_quorum(slot, silent):
            return True
        for highest in [vote for vote in speakers.values() if vote and vote.value == value]:
            lower = {node for node, v in speakers.items() if v and v.ballot <= highest.ballot}
            if self.quorums.is_prepare_quorum(slot, silent | lower):
                return True
        return False
