"""All that must hold in a run: every checker, and what is in the journals at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from paxos.errors import LogCompacted
from paxos.protocol.events import Event
from paxos.protocol.messages import Message
from paxos.protocol.records import Record
from paxos.replicated.roles import Roles
from paxos.replicated.routing import Role
from paxos.replicated.state import Applied
from paxos.testing.checkers import (
    Agreement,
    Answers,
    AtMostOnce,
    Checker,
    Decreed,
    EffectsOnce,
    EqualState,
    Forward,
    Freshness,
    HighestVote,
    Honesty,
    Leases,
    Linearizable,
    Marks,
    Memory,
    NamedElections,
    OneLeaderPerEpoch,
    Prefix,
    Recount,
    Steadfast,
    Tallies,
    Tidy,
    Violation,
)
from paxos.testing.checkers.base import overriding
from paxos.testing.linearizability import Handle
from paxos.testing.simulation.clients import Operation
from paxos.testing.simulation.disk import Disk
from paxos.testing.simulation.media import all_of

AUDITED = 50
"""How many slots of a journal are read at once when the run ends."""


class Jury(Checker):
    """All checkers of a run as one: each hears what the run tells."""

    def __init__(self, quorums: Recount) -> None:
        self.memory = Memory()
        self.elections = NamedElections()
        self.effects = EffectsOnce()
        self.leases = Leases()
        self._agreement = Agreement(quorums)
        self._prefix, self._linearizable = Prefix(), Linearizable()
        self._checkers: tuple[Checker, ...] = (
            self._agreement,
            self.memory,
            HighestVote(quorums),
            Honesty(self.memory),
            self._prefix,
            EqualState(),
            OneLeaderPerEpoch(),
            AtMostOnce(),
            Freshness(),
            Forward(),
            Steadfast(),
            Tallies(self.memory),
            Answers(),
            Marks(),
            Tidy(),
            self.elections,
            Decreed(),
            self.effects,
            self.leases,
            self._linearizable,
        )
        self._hear_sent = [checker.sent for checker in overriding(self._checkers, "sent")]
        self._hear_turns = [checker.turned for checker in overriding(self._checkers, "turned")]
        self._hear_beginnings = [c.listens for c in overriding(self._checkers, "listens")]
        self._hear_events = [checker.happened for checker in overriding(self._checkers, "happened")]

    @property
    def log(self) -> Sequence[object]:
        """The longest log that was applied anywhere."""
        return self._prefix.log

    def record(self, client: str, operation: Operation) -> Handle | None:
        """Begin an operation in the clients' history, if it belongs there."""
        if operation.f == "command":
            return None
        recorder = self._linearizable.recorder
        return recorder.invoke(client, operation.f, operation.key, operation.value)

    def persisted(self, node: str, records: Sequence[Record]) -> None:
        """See `Checker.persisted`."""
        for checker in self._checkers:
            checker.persisted(node, records)

    def sent(self, node: str, message: Message) -> None:
        """See `Checker.sent`."""
        for hear in self._hear_sent:
            hear(node, message)

    def listens(self, node: str, role: Role) -> None:
        """See `Checker.listens`."""
        for hear in self._hear_beginnings:
            hear(node, role)

    def turned(self, node: str, roles: Roles) -> None:
        """See `Checker.turned`."""
        for hear in self._hear_turns:
            hear(node, roles)

    def happened(self, node: str, event: Event) -> None:
        """See `Checker.happened`."""
        for hear in self._hear_events:
            hear(node, event)

    def applied(self, node: str, applied: Applied) -> None:
        """See `Checker.applied`."""
        for checker in self._checkers:
            checker.applied(node, applied)

    def reached(self, node: str, position: int, digest: int) -> None:
        """See `Checker.reached`."""
        for checker in self._checkers:
            checker.reached(node, position, digest)

    def installed(self, node: str, position: int) -> None:
        """See `Checker.installed`."""
        for checker in self._checkers:
            checker.installed(node, position)

    def read_begun(self, node: str, number: int) -> None:
        """See `Checker.read_begun`."""
        for checker in self._checkers:
            checker.read_begun(node, number)

    def read_ready(self, node: str, number: int, position: int) -> None:
        """See `Checker.read_ready`."""
        for checker in self._checkers:
            checker.read_ready(node, number, position)

    def recovered(self, node: str, records: Sequence[Record]) -> None:
        """See `Checker.recovered`."""
        for checker in self._checkers:
            checker.recovered(node, records)

    def restarted(self, node: str, roles: Roles) -> None:
        """See `Checker.restarted`."""
        for checker in self._checkers:
            checker.restarted(node, roles)

    def rested(self, node: str, roles: Roles) -> None:
        """See `Checker.rested`."""
        for checker in self._checkers:
            checker.rested(node, roles)

    def finished(self) -> None:
        """See `Checker.finished`."""
        for checker in self._checkers:
            checker.finished()

    def audit(self, node: str, disk: Disk) -> None:
        """See that all is in a journal that its node could ask for, or its next life."""
        journal = disk.journal
        if disk.failed or disk.spoilt:
            return
        self.recovered(node, all_of(journal))
        slot = journal.first
        while values := journal.read(slot, slot + AUDITED, 1 << 20):
            self._agreement.kept(node, slot, [value for _, value in values])
            slot = values[-1][0] + 1
        if slot != journal.frontier:
            raise Violation(f"the journal of {node} ends at {slot}, not {journal.frontier}")
        if slot > journal.first and not journal.read(slot - 1, slot - 1, 1):
            raise Violation(f"the journal of {node} does not give its last slot")
        if journal.first:
            with suppress(LogCompacted):
                raise Violation(f"{node}: {journal.read(journal.first - 1, slot, 1)}")
        begins = [snapshot.position for snapshot in journal.snapshots]
        if begins and (journal.first > begins[0] or (begins[1:] and journal.first < begins[0])):
            raise Violation(
                f"the journal of {node} has snapshots of {begins}, "
                f"and its log begins at {journal.first}"
            )
