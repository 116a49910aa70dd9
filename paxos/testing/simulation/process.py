"""A node of the simulation: what stands around its roles, for clients and elections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from paxos.protocol.effects import Effects, Wake
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.election_decrees import Renew
from paxos.replicated.messages import Adopted
from paxos.replicated.standing import Decide, Lost, Out, Won
from paxos.replicated.state import Applied
from paxos.replicated.values import Command, CommandId, Result
from paxos.testing.checkers import Violation
from paxos.testing.simulation.engine import TURN, Engine

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation

Answer = Callable[[int, Result | Ruling | None], None]

AT_ONCE = 0
"""Stands for the number of a read that waits for nothing."""


class Process(Engine):
    """One node."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        super().__init__(simulation, name)
        self._waiting: dict[CommandId, Answer] = {}
        self._readers: dict[int, Callable[[], None]] = {}
        self._decrees: dict[CommandId, Decree] = {}

    def _forget(self) -> None:
        self._waiting.clear()
        self._readers.clear()
        self._decrees.clear()

    def _begin(self) -> None:
        self._simulation.leases.restarted(self)
        self._attend(self.roles.office.wake(self.clock()))
        self._simulation.campaigners[self.name].start()

    def submit(self, command: Command, answer: Answer) -> None:
        """Propose a command for a client, which is answered unless this node crashes."""
        if self.up:
            self._waiting[command.id] = answer
            if self.roles.proposer.adopt(command):
                self.put("proposer", self.name, Adopted())

    def submit_own(self, data: bytes | Decree, answer: Answer) -> None:
        """Propose a command of an application that embeds this node, or a decree of the node."""
        self.submit(Command(*self.roles.next_id(), data), answer)

    def unanswered(self) -> set[CommandId | int]:
        """Return the commands and the reads that wait for an answer; renewals need none."""
        commands = {
            command
            for command in self._waiting
            if not isinstance(self._decrees.get(command), Renew)
        }
        return {*commands, *self._readers}

    def barrier(self, ready: Callable[[], None], *, lease: bool = False) -> None:
        """Call when this node's state may be read, unless it crashes before."""
        if self.up and lease:
            self.later(TURN, self._leased_barrier, ready)
        elif self.up:
            read = self.roles.proposer.reading.begin()
            self._readers[read.number] = ready
            self._jury.read_begun(self.name, read.number)
            self.put("proposer", self.name, read)

    def _leased_barrier(self, ready: Callable[[], None]) -> None:
        proposer = self.roles.proposer
        point = proposer.leased_point()
        if point is None:
            self.barrier(ready)
            return
        self._simulation.injected["leased_read"] += 1
        behind = self.roles.learner.learner.frontier < point
        number = proposer.reading.begin_at(point, self.clock()) if behind else AT_ONCE
        self._readers[number] = ready
        self._jury.read_begun(self.name, number)
        if not behind:
            self._ready(number)

    # Elections.

    def stand(self, name: str, priority: int) -> None:
        """Stand in an election, in which this node has no part."""
        self._attend(self.roles.office.stand(name, priority, b"", self.clock()))

    def leave(self, name: str) -> None:
        """Leave it, if this node has any part in it."""
        if name in self.roles.office.standings:
            self._attend(self.roles.office.leave(name, self.clock()))

    def _attend(self, effects: Effects) -> None:
        """Do what the office wants."""
        campaigner = self._simulation.campaigners[self.name]
        for effect in effects:
            self._step()
            match effect:
                case Decide(decree):
                    command = self.roles.decree(decree)
                    self._decrees[command.id] = decree
                    self.submit(command, lambda slot, result: None)
                case Wake(earliest, latest):
                    self._set_alarm("office", earliest, latest)
                case Won(name, epoch):
                    if self.clock() >= self.roles.office.lease.until:
                        raise Violation(f"{self.name} is told to lead {name} after its lease")
                    campaigner.won(name, epoch)
                case Lost(name, loss):
                    campaigner.lost(name, loss)
                case Out(name):
                    campaigner.out(name)
        self._simulation.believed()

    def _applied(self, applied: Applied) -> None:
        self._world.note(f"{self.name} applies slot {applied.slot}: {applied.value}")
        self._jury.applied(self.name, applied)
        for command, slot, result in applied.results:
            answer = self._waiting.pop(command, None)
            if answer is not None:
                answer(slot, result)
        rulings = [
            (self._decrees.pop(command), result if isinstance(result, Ruling) else None)
            for command, _, result in applied.results
            if command in self._decrees
        ]
        if applied.changes or rulings:
            self._attend(self.roles.office.applied(applied.changes, rulings, self.clock()))
            self._simulation.leases.renewed(self)

    def _ready(self, last: int) -> None:
        position = self.roles.learner.learner.frontier
        for number in [number for number in self._readers if number <= last]:
            self._jury.read_ready(self.name, number, position)
            self._readers.pop(number)()
