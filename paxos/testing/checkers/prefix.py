"""Every applied log is a prefix of every other."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.roles import Roles
from paxos.replicated.state import Applied
from paxos.replicated.values import LogValue
from paxos.testing.checkers.base import Checker, Violation


@define
class Prefix(Checker):
    """Compares each slot that takes effect anywhere with the longest log so far."""

    log: list[LogValue] = field(factory=list)
    _positions: dict[str, int] = field(factory=dict)

    def applied(self, node: str, applied: Applied) -> None:
        """See that slots come in order, and are the same everywhere."""
        position = self._positions.get(node, 0)
        if applied.slot != position:
            raise Violation(f"{node} applies slot {applied.slot}, but is at slot {position}")
        self._positions[node] = position + 1
        if position == len(self.log):
            self.log.append(applied.value)
        elif self.log[position] != applied.value:
            raise Violation(
                f"{node} applies {applied.value} in slot {position}, others {self.log[position]}"
            )

    def installed(self, node: str, position: int) -> None:
        """See that a node jumps ahead, and not further than somebody has come."""
        if position <= self._positions.get(node, 0):
            raise Violation(f"{node} jumps back to slot {position}")
        if position > len(self.log):
            raise Violation(f"{node} jumps to slot {position}, which nobody has reached")
        self._positions[node] = position

    def restarted(self, node: str, roles: Roles) -> None:
        """Begin again where the journal ends."""
        frontier = roles.learner.learner.frontier
        if frontier > len(self.log):
            raise Violation(f"{node} restarts at slot {frontier}, which nobody has reached")
        self._positions[node] = frontier
