"""No command is applied twice, and none is taken for a repetition that never was applied."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.state import Applied
from paxos.replicated.values import CommandId
from paxos.testing.checkers.base import Checker, Violation


@define
class AtMostOnce(Checker):
    """Remembers in which slot each command took effect."""

    _slots: dict[CommandId, int] = field(factory=dict)
    _boots: dict[str, int] = field(factory=dict)
    """By node, its newest session of which a command took effect: an older one's are void."""

    def applied(self, node: str, applied: Applied) -> None:
        """See that a command takes effect in one slot only."""
        if len({command.id for command in applied.fresh}) != len(applied.fresh):
            raise Violation(f"{node} applies a command twice in slot {applied.slot}")
        for command in applied.fresh:
            session = command.session
            self._boots[session.node] = max(session.boot, self._boots.get(session.node, 0))
            slot = self._slots.setdefault(command.id, applied.slot)
            if slot != applied.slot:
                raise Violation(
                    f"{node} applies command {command.number} of {command.session.node} "
                    f"in slot {applied.slot}, and in slot {slot} before"
                )
        for id_, _, result in applied.results:
            (name, boot), number = id_
            known = id_ in self._slots or name != node or boot < self._boots.get(name, 0)
            if result is None and not known:
                raise Violation(
                    f"{node} takes its command {number} in slot {applied.slot} "
                    "for a repetition, and it never took effect"
                )
