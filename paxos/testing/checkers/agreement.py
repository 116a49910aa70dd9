"""At most one value is chosen for a slot."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.quorums import Quorums
from paxos.protocol.records import Record, Voted
from paxos.protocol.values import Value
from paxos.replicated.state import Applied
from paxos.testing.checkers.base import Checker, Violation


@define
class Agreement(Checker):
    """Counts the durable votes themselves, so it believes no learner; and no learner may differ.

    It also sees that a ballot proposes one value for a slot.
    """

    quorums: Quorums
    chosen: dict[int, Value] = field(factory=dict)
    _voters: dict[tuple[int, Ballot], set[str]] = field(factory=dict)
    _values: dict[tuple[int, Ballot], Value] = field(factory=dict)

    def persisted(self, node: str, records: Sequence[Record]) -> None:
        """Count votes."""
        for record in records:
            if not isinstance(record, Voted):
                continue
            slot, key = record.slot, (record.slot, record.ballot)
            if self._values.setdefault(key, record.value) != record.value:
                raise Violation(f"ballot {record.ballot} has two values for slot {slot}")
            voters = self._voters.setdefault(key, set())
            voters.add(node)
            if self.quorums.is_accept_quorum(slot, voters):
                self._choose(slot, record.value)

    def applied(self, node: str, applied: Applied) -> None:
        """See that what takes effect is chosen."""
        if applied.slot not in self.chosen:
            raise Violation(f"{node} applies slot {applied.slot}, for which nothing is chosen")
        if self.chosen[applied.slot] != applied.value:
            raise Violation(
                f"{node} applies {applied.value} in slot {applied.slot}, "
                f"for which {self.chosen[applied.slot]} is chosen"
            )

    def _choose(self, slot: int, value: Value) -> None:
        if self.chosen.setdefault(slot, value) != value:
            raise Violation(f"slot {slot}: both {self.chosen[slot]} and {value} are chosen")
