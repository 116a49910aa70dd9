"""A learner counts votes that were cast, each at the ballot at which it was cast."""

from __future__ import annotations

from attrs import define

from paxos.replicated.roles import Roles
from paxos.testing.checkers.base import Checker, Violation
from paxos.testing.checkers.memory import Memory


@define
class Tallies(Checker):
    """Looks at the votes that are being counted, long before they make a quorum."""

    memory: Memory

    def turned(self, node: str, roles: Roles) -> None:
        """Compare each vote that is counted with what its acceptor made durable."""
        for slot, tally in roles.learner.learner.tallies.items():
            for voter in tally.voters:
                durable = self.memory.nodes.get(voter)
                if durable is None or (slot, tally.ballot) not in durable.cast:
                    raise Violation(
                        f"{node} counts a vote of {voter} at {tally.ballot} in slot {slot}, "
                        "which was never cast"
                    )
