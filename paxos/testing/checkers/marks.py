"""What a node knows of another's journal only grows: by that it sees that one has gone back."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.admission import Mark
from paxos.replicated.roles import Roles
from paxos.testing.checkers.base import Checker, Violation


@define
class Marks(Checker):
    """Compares what each node knows of the others' journals with what it knew before."""

    _last: dict[str, dict[str, Mark]] = field(factory=dict)

    def turned(self, node: str, roles: Roles) -> None:
        """See that no journal has become shorter; another one may be."""
        last = self._last.setdefault(node, {})
        for other, mark in roles.admission.known.items():
            before = last.get(other)
            if before is mark:
                continue
            if before is not None and before.journal == mark.journal and mark < before:
                raise Violation(f"{node} knew {before}, and now takes it for {mark}")
            last[other] = mark

    def restarted(self, node: str, roles: Roles) -> None:
        """Begin again."""
        self._last.pop(node, None)
