"""No command is applied twice."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.state import Applied
from paxos.replicated.values import CommandId
from paxos.testing.checkers.base import Checker, Violation


@define
class AtMostOnce(Checker):
    """Remembers in which slot each command took effect."""

    _slots: dict[CommandId, int] = field(factory=dict)

    def applied(self, node: str, applied: Applied) -> None:
        """See that a command takes effect in one slot only."""
        if len({command.id for command in applied.fresh}) != len(applied.fresh):
            raise Violation(f"{node} applies a command twice in slot {applied.slot}")
        for command in applied.fresh:
            slot = self._slots.setdefault(command.id, applied.slot)
            if slot != applied.slot:
                raise Violation(
                    f"{node} applies command {command.number} of {command.session.node} "
                    f"in slot {applied.slot}, and in slot {slot} before"
                )
