"""A node whose state may be read has all that any node had applied when the read began."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.roles import Roles
from paxos.replicated.state import Applied
from paxos.testing.checkers.base import Checker, Violation


@define
class Freshness(Checker):
    """Sharper than a history of clients: it needs no client that wrote in between."""

    _applied: int = 0
    """How far the log is applied, anywhere."""
    _begun: dict[tuple[str, int], int] = field(factory=dict)
    """By node and number of a read, how far that was when the read began."""

    def applied(self, node: str, applied: Applied) -> None:
        """Note how far the log is applied."""
        self._applied = max(self._applied, applied.slot + 1)

    def read_begun(self, node: str, number: int) -> None:
        """Note what the read must not miss."""
        self._begun[node, number] = self._applied

    def read_ready(self, node: str, number: int, position: int) -> None:
        """See that nothing is missing."""
        needed = self._begun.pop((node, number))
        if position < needed:
            raise Violation(
                f"{node} may read its state after slot {position - 1}, but slot {needed - 1} was "
                "applied somewhere before the read began"
            )

    def restarted(self, node: str, roles: Roles) -> None:
        """Forget the reads of the life before."""
        self._begun = {key: needed for key, needed in self._begun.items() if key[0] != node}
