"""At most one value is chosen for a slot."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Chosen, Message, Prepare, Promise, Teach
from paxos.protocol.quorums import Quorums
from paxos.protocol.records import Record, Voted
from paxos.protocol.values import Value
from paxos.replicated.messages import Heard, Heartbeat, Polled
from paxos.replicated.state import Applied
from paxos.testing.checkers.base import Checker, Violation


@define
class Agreement(Checker):
    """Counts the durable votes themselves, so it believes no learner; and no learner may differ.

    It also sees that a ballot proposes one value for a slot, and no ballot above that of a choice
    another value than the chosen one (P2b).
    """

    quorums: Quorums
    chosen: dict[int, Value] = field(factory=dict)
    _ballots: dict[int, Ballot] = field(factory=dict)
    """At which ballot each slot was first chosen."""
    _frontier: int = 0
    """The first slot for which nothing is chosen."""
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
                self._choose(slot, record.ballot, record.value)

    def sent(self, node: str, message: Message) -> None:
        """See that nobody proposes, announces or teaches what is not so."""
        match message:
            case Accept(ballot, slot, value):
                if ballot > self._ballots.get(slot, ballot) and self.chosen[slot] != value:
                    raise Violation(
                        f"{node} proposes {value} at {ballot} in slot {slot}, "
                        f"for which {self.chosen[slot]} is chosen at {self._ballots[slot]}"
                    )
                if self._values.setdefault((slot, ballot), value) != value:
                    raise Violation(f"{node} proposes two values at {ballot} in slot {slot}")
            case Chosen(ballot, slot):
                voters = self._voters.get((slot, ballot), set())
                if not self.quorums.is_accept_quorum(slot, voters):
                    raise Violation(
                        f"{node} says that slot {slot} is chosen at {ballot}, "
                        f"for which {len(voters)} voted"
                    )
            case Teach(slot, value):
                if slot not in self.chosen or self.chosen[slot] != value:
                    raise Violation(f"{node} teaches {value} in slot {slot}, which is not chosen")
                self._claim(node, message.frontier)
            case Heartbeat() | Heard() | Polled() | Prepare() | Promise():
                self._claim(node, message.frontier)

    def applied(self, node: str, applied: Applied) -> None:
        """See that what takes effect is chosen."""
        if applied.slot not in self.chosen:
            raise Violation(f"{node} applies slot {applied.slot}, for which nothing is chosen")
        if self.chosen[applied.slot] != applied.value:
            raise Violation(
                f"{node} applies {applied.value} in slot {applied.slot}, "
                f"for which {self.chosen[applied.slot]} is chosen"
            )

    def kept(self, node: str, first: int, values: Sequence[Value]) -> None:
        """See that what a journal gives to laggards is chosen; its slots begin at ``first``."""
        for slot, value in enumerate(values, first):
            if slot not in self.chosen or self.chosen[slot] != value:
                raise Violation(f"{node} keeps {value} in slot {slot}, which is not chosen")

    def _claim(self, node: str, frontier: int) -> None:
        """See that all is chosen that a node says it has learned."""
        while self._frontier in self.chosen:
            self._frontier += 1
        if frontier > self._frontier:
            raise Violation(
                f"{node} says that it has learned the log up to slot {frontier}, "
                f"and slot {self._frontier} is not chosen"
            )

    def _choose(self, slot: int, ballot: Ballot, value: Value) -> None:
        if self.chosen.setdefault(slot, value) != value:
            raise Violation(f"slot {slot}: both {self.chosen[slot]} and {value} are chosen")
        self._ballots.setdefault(slot, ballot)
