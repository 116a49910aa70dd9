"""Within a life of a node, nothing goes back of what only grows."""

from __future__ import annotations

from typing import Any, NamedTuple

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.replicated.roles import Roles
from paxos.testing.checkers.base import Checker, Violation


class Progress(NamedTuple):
    """How far a node's roles are."""

    promised: Ballot
    """The highest ballot that its acceptor promised."""
    highest: Ballot
    """The highest of which its proposer has heard."""
    learned: int
    """How many slots its learner knows."""
    target: int
    """Up to which slot its learner knows that all is chosen."""
    voted_from: int
    """The first slot of which its acceptor keeps its vote."""
    led_from: int
    """The first slot that its proposer has not heard to be learned."""


@define
class Forward(Checker):
    """Compares each turn of a node's roles with the one before."""

    _last: dict[str, tuple[Any, ...]] = field(factory=dict)

    def turned(self, node: str, roles: Roles) -> None:
        """See that everything is where it was, or further."""
        learner, acceptor = roles.learner.learner, roles.acceptor
        candidacy = roles.proposer.candidacy
        progress = Progress(
            acceptor.promised,
            candidacy.proposer.highest,
            learner.frontier,
            learner.target,
            acceptor.frontier,
            candidacy.frontier,
        )
        last = self._last.get(node)
        if last == progress:
            return
        self._last[node] = progress
        now: tuple[Any, ...] = progress
        if last is not None and any(a < b for a, b in zip(now, last, strict=True)):
            raise Violation(f"{node} goes back: it was at {last}, and is at {progress}")
        if not max(acceptor.frontier, candidacy.frontier) <= learner.frontier <= learner.target:
            raise Violation(f"{node} has learned {learner.frontier} slots, but: {progress}")

    def restarted(self, node: str, roles: Roles) -> None:
        """Begin again."""
        self._last.pop(node, None)
