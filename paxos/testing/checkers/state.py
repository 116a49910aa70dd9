"""Equal state at equal position."""

from __future__ import annotations

from attrs import define, field

from paxos.testing.checkers.base import Checker, Violation


@define
class EqualState(Checker):
    """Compares digests of all that the nodes' state machines were asked and answered."""

    _digests: dict[int, int] = field(factory=dict)

    def reached(self, node: str, position: int, digest: int) -> None:
        """Compare with whoever was the first to get there."""
        if self._digests.setdefault(position, digest) != digest:
            raise Violation(f"the state of {node} at slot {position} differs from that of others")
