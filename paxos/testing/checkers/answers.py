"""A proposer counts answers that were given: whole promises, and confirmations of its round."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Confirmed, Message, Promise
from paxos.protocol.proposer import Parts, Preparing
from paxos.replicated.roles import Roles
from paxos.testing.checkers.base import Checker, Violation


@define
class Answers(Checker):
    """Looks at what is being counted, long before it makes a quorum."""

    _promised: dict[tuple[str, Ballot, int, int], set[int]] = field(factory=dict)
    """By acceptor, ballot, frontier and number of votes, the slots of those that it reported."""
    _confirmed: set[tuple[str, Ballot, int]] = field(factory=set)

    def sent(self, node: str, message: Message) -> None:
        """Note an answer."""
        match message:
            case Promise(ballot, frontier, total, votes):
                slots = self._promised.setdefault((node, ballot, frontier, total), set())
                slots.update(vote.slot for vote in votes)
            case Confirmed(ballot, number):
                self._confirmed.add((node, ballot, number))

    def turned(self, node: str, roles: Roles) -> None:
        """Compare what a node counts with what it was told."""
        state = roles.proposer.candidacy.proposer.state
        if isinstance(state, Preparing):
            self._see_that_they_are_whole(node, state.ballot, state.promises)
        readmission = roles.admission.readmission.preparing
        if readmission is not None:
            self._see_that_they_are_whole(node, readmission.ballot, readmission.promises)
        question = roles.proposer.reading.question
        if question is not None and question.round is not None:
            ballot, number = question.round.ballot, question.round.number
            for other in question.round.nodes:
                if (other, ballot, number) not in self._confirmed:
                    raise Violation(
                        f"{node} counts a confirmation of {other} at {ballot} "
                        f"in round {number}, which was never given"
                    )

    def _see_that_they_are_whole(
        self, node: str, ballot: Ballot, promises: Mapping[str, Parts]
    ) -> None:
        for other, parts in promises.items():
            told = self._promised.get((other, ballot, parts.frontier, parts.total))
            if parts.whole and (told is None or not told >= set(parts.votes)):
                raise Violation(
                    f"{node} takes for a whole promise of {other} for {ballot} "
                    f"votes in slots {sorted(parts.votes)}, which were not reported together"
                )
